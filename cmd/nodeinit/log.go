package main

import (
	"maps"
	"slices"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/config"
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
	return logs.Open(fd, format, level(a.config.LogConfig))
}

func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// level is the least level that is logged: -v asks for more than --log-level.
func level(c config.LogConfig) zerolog.Level {
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
func (a *app) orphanReaped(log *logs.Logger, pid int) *zerolog.Event {
	line := log.Debug
	if a.config.WarnOnReap {
		line = log.Warn
	}
	return line("orphan reaped").Int("pid", pid)
}
