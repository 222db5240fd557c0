package main

import (
	"bytes"
	"os"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/supervisor"
)

// flushTimeout is how long a stalled stdout may hold up the exit, once before the
// last line and once after it.
const flushTimeout = 500 * time.Millisecond

// terminationLog is where Kubernetes reads why a container ended
// (terminationMessagePath).
const terminationLog = "/dev/termination-log"

// report writes the last line and returns the status to exit with. pre is the
// command that ended the run, if it was one that runs before the program.
func (r *run) report(end supervisor.Exit, pre string) int {
	code := r.config.Remapped(end.Code())
	after := r.group.Stats()
	report(r.log, end.Crashed(), func(line *zerolog.Event) *zerolog.Event {
		line = end.Report(line, r.before, after)
		if pre != "" {
			line = line.Str("pre", logs.Truncate(pre))
		}
		return exitStatus(line, end.Code(), code)
	})
	return code
}

// notStarted reports err on stderr and as the last line of the log, and returns
// the status to exit with.
func (a *app) notStarted(log *logs.Logger, err error) int {
	original := exec.ExitCode(err)
	code := a.config.Remapped(original)
	a.printError(err)
	report(log, true, func(line *zerolog.Event) *zerolog.Event {
		line = line.Str("cause", "not_started").Int("status", original).Str("error", logs.Truncate(err.Error()))
		return exitStatus(line, original, code)
	})
	return code
}

// exitStatus adds code to line if --remap-exit has changed it from original.
func exitStatus(line *zerolog.Event, original, code int) *zerolog.Event {
	if code == original {
		return line
	}
	return line.Int("exit_status", code)
}

// report writes the last line, with what facts adds to it, to the log and to
// where Kubernetes looks for it.
func report(log *logs.Logger, crashed bool, facts func(*zerolog.Event) *zerolog.Event) {
	log.Flush(flushTimeout) // a flood before the end must leave room for the last line
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
