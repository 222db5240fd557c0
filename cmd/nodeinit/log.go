package main

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/logs"
)

// openLog returns the Logger for nodeinit's own lines.
func (a *app) openLog() *logs.Logger {
	fd := unix.Stdout
	if a.config.LogTo == "stderr" {
		fd = unix.Stderr
	}
	format := logs.JSON
	if a.config.LogFormat == "text" || a.config.LogFormat == "auto" && isTerminal(fd) {
		format = logs.Text
	}
	return logs.Open(fd, format, a.config.level())
}

func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// level is the least level that is logged: -v asks for more than --log-level.
func (c config) level() zerolog.Level {
	level := zerolog.Disabled
	if c.LogLevel != "off" {
		level, _ = zerolog.ParseLevel(string(c.LogLevel)) // checked when it was read
	}
	switch {
	case c.Verbose >= 2:
		return zerolog.TraceLevel
	case c.Verbose == 1:
		return min(level, zerolog.DebugLevel)
	default:
		return level
	}
}

// warnUnknown names settings in the environment that do not exist.
func (a *app) warnUnknown(log *logs.Logger) {
	unknown := unknownEnv(a.environ)
	for _, name := range slices.Sorted(maps.Keys(unknown)) {
		log.Warn("unknown setting").Str("name", logs.Truncate(name)).Str("did_you_mean", unknown[name]).Send()
	}
}

// log writes the start line: what was found, and what follows from it.
func (p plan) log(log *logs.Logger) {
	for _, warning := range p.warnings {
		logWarning(log, warning)
	}
	for _, warning := range p.unused {
		log.Warn("settings without effect").Str("warning", logs.Truncate(warning)).Send()
	}
	if p.agentless != "" {
		log.Warn("no agent").Str("why", logs.Truncate(p.agentless)).Send()
	}
	if p.caveat != "" {
		log.Warn("not all works as workers").Str("warning", p.caveat).Send()
	}
	line := log.Info("starting").
		Str("version", version).
		Str("mode", string(p.mode)).
		Str("reason", p.reason).
		Int("workers", p.workers)
	if start := p.start(); start != "" {
		line = line.Str("start", start)
	}
	line = line.Str("arithmetic", p.arithmetic)
	if p.balance != "" {
		line = line.Str("balance", string(p.balance))
	}
	line = addLimits(line, p.limits)
	if p.oldSpace > 0 {
		line = line.Int64("old_space_bytes", p.oldSpace)
	}
	if p.othersHeap > 0 {
		line = line.Int64("others_old_space_bytes", p.othersHeap)
	}
	if p.maxMemory > 0 {
		line = line.Int64("max_memory_bytes", p.maxMemory)
	}
	if p.program.Note != "" {
		line = line.Str("resolved", logs.Truncate(p.program.Note))
	}
	line.Str("argv", logs.Truncate(strings.Join(p.program.Argv, " "))).Send()
}

// addLimits adds l to line.
func addLimits(line *zerolog.Event, l cgroup.Limits) *zerolog.Event {
	line = line.Int("affinity", l.Affinity)
	if l.CPU > 0 {
		line = line.Float64("cpus", l.CPU).Str("cpus_from", logs.Truncate(l.CPUFrom))
	}
	if l.Memory > 0 {
		line = line.Int64("memory_bytes", l.Memory).Str("memory_from", logs.Truncate(l.MemoryFrom))
	}
	if l.MemoryHigh > 0 {
		line = line.Int64("memory_high_bytes", l.MemoryHigh)
	}
	return line
}

func logWarning(log *logs.Logger, warning string) {
	log.Warn("check the limits").Str("warning", logs.Truncate(warning)).Send()
}

// orphanReaped starts the line for an orphan.
func (a *app) orphanReaped(log *logs.Logger, pid int) *zerolog.Event {
	line := log.Debug
	if a.config.WarnOnReap {
		line = log.Warn
	}
	return line("orphan reaped").Int("pid", pid)
}

// report writes the last line, with what facts adds to it, to the log and to
// where Kubernetes looks for it.
func report(log *logs.Logger, crashed bool, facts func(*zerolog.Event) *zerolog.Event) {
	log.Flush(flushPatience) // a flood before the end must leave room for the last line
	var message bytes.Buffer
	for _, l := range []*logs.Logger{log, logs.New(&message, logs.JSON, zerolog.InfoLevel)} {
		start := l.Info
		if crashed {
			start = l.Error
		}
		facts(start("exit")).Send()
	}
	writeTerminationLog(message.Bytes())
}

// writeTerminationLog leaves message where Kubernetes reads why a container
// ended, if there is such a file. It follows no link and waits for no reader.
func writeTerminationLog(message []byte) {
	f, err := os.OpenFile(terminationLog, os.O_WRONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || f.Truncate(0) != nil {
		return
	}
	_, _ = f.Write(message)
}
