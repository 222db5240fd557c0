package main

import (
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/config"
	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/files"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/plan"
	"github.com/nodeinit/nodeinit/signals"
)

// openLog returns the Logger for nodeinit's own lines.
func (a *app) openLog() *logs.Logger {
	a.outputs[0], a.outputs[1] = logs.OpenOutputs()
	fd, out := unix.Stdout, a.outputs[0]
	if a.config.LogTo == "stderr" {
		fd, out = unix.Stderr, a.outputs[1]
	}
	return logs.Open(out, a.ownFormat(isTerminal(fd)), level(a.config.LogConfig), logs.FieldsOf(string(a.config.LogFields)), a.config.Redactions())
}

// ownFormat is that of nodeinit's own lines.
func (a *app) ownFormat(terminal bool) logs.Format {
	switch {
	case !a.config.OwnText(terminal):
		return logs.JSON
	case terminal:
		return logs.Terminal
	default:
		return logs.Text
	}
}

// openStreams returns what passes on what children write, as p has decided.
func (a *app) openStreams(log *logs.Logger, p plan.Plan) *logs.Streams {
	if stdout, stderr := p.Logs.Piped(); !stdout && !stderr {
		return logs.NewStreams(a.outputs[0], a.outputs[1], logs.Options{})
	}
	options := logs.Options{
		JSON: p.Logs.IsJSON(), Fields: logs.FieldsOf(string(a.config.LogFields)), Redact: a.config.Redactions(),
		NoMultiline: bool(a.config.NoMultiline), StripColors: bool(a.config.StripColors), OnDrop: log.CountDropped,
	}
	if stdout, stderr := p.Logs.Tagged(); stdout || stderr {
		tag := logs.Tags(p.Workers, logs.ColorLevel(func(key string) string { return exec.Getenv(a.environ, key) }) > 0)
		options.Prefix = func(s logs.Source) []byte {
			if s.Stderr && !stderr || !s.Stderr && !stdout {
				return nil
			}
			return tag(s)
		}
	}
	return logs.NewStreams(a.outputs[0], a.outputs[1], options)
}

func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// level is the least level that is logged: -v asks for more than --log-level.
func level(c config.LogConfig) logs.Level {
	level := logs.LevelOff
	switch c.LogLevel {
	case "trace":
		level = logs.LevelTrace
	case "debug":
		level = logs.LevelDebug
	case "info":
		level = logs.LevelInfo
	case "warn":
		level = logs.LevelWarn
	case "error":
		level = logs.LevelError
	}
	switch {
	case c.Verbose >= 2:
		return logs.LevelTrace
	case c.Verbose == 1:
		return min(level, logs.LevelDebug)
	default:
		return level
	}
}

// warnSettings warns of settings that do nothing, or not what was likely meant.
func (a *app) warnSettings(log *logs.Logger) {
	a.warnUnknown(log)
	for _, line := range a.config.NeverComing(signals.Ignored) {
		log.Warn("a signal will not come").Str("warning", line).Send()
	}
	if warning := a.config.LongGrace(); warning != "" {
		log.Warn("a long grace").Str("warning", warning).Send()
	}
	if command, ok := shellAbove(files.Dir("/proc"), os.Getppid()); ok {
		log.Warn("not PID 1").Str("warning", "PID 1 is a shell, which passes no signals on: docker stop ends in "+
			`SIGKILL (write ENTRYPOINT and CMD as JSON arrays: ["/nodeinit", "--", "node", "server.js"]; `+
			"in a script write exec before nodeinit)").
			Str("pid1", logs.Truncate(strings.Join(command, " "))).Send()
	}
}

// warnUnknown names settings in the environment that do not exist.
func (a *app) warnUnknown(log *logs.Logger) {
	unknown := config.Unknown(a.environ)
	for _, name := range slices.Sorted(maps.Keys(unknown)) {
		line := log.Warn("unknown setting").Str("name", logs.Truncate(name))
		if near := unknown[name]; near != "" {
			line = line.Str("did_you_mean", near)
		}
		line.Send()
	}
}

// orphanReaped starts the line for an orphan.
func (a *app) orphanReaped(log *logs.Logger, pid int) *logs.Event {
	line := log.Debug
	if a.config.WarnOnReap {
		line = log.Warn
	}
	return line("orphan reaped").Int("pid", pid)
}
