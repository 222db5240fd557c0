package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/supervisor"
)

// flushTimeout is how long a stalled stdout may hold up the exit, once before the
// last line and once after it.
const flushTimeout = 500 * time.Millisecond

// drainTimeout is how long an output may take nothing while what children have written
// is passed on: there is no second chance. A reader on a busy machine was seen to take
// more than flushTimeout. After a stop signal it ends with the grace, as the orchestrator
// is about to kill.
const drainTimeout = 5 * time.Second

// terminationLog is where Kubernetes reads why a container ended
// (terminationMessagePath).
const terminationLog = "/dev/termination-log"

// Exit statuses of nodeinit's own; the rest are the program's or exec's.
const (
	exitUsage    = 2
	exitInternal = 125
)

// usageError prints what is wrong with the arguments or the environment, one line
// for each thing, and returns the status to exit with.
func (a *app) usageError(err error) int {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		a.printError(errors.New(line))
	}
	return exitUsage
}

// printError writes err to stderr as one line, but does not wait for ever for
// somebody to read it.
func (a *app) printError(err error) {
	written := make(chan struct{})
	go func() {
		fmt.Fprintf(a.stderr, "nodeinit: %v\n", err)
		close(written)
	}()
	select {
	case <-written:
	case <-time.After(flushTimeout):
	}
}

// report writes the last line and returns the status to exit with. pre is the
// command that ended the run, if it was one that runs before the program.
func (r *run) report(end supervisor.Exit, pre string) int {
	after := r.group.Stats()
	stall := drainTimeout
	if !end.KillAt.IsZero() {
		stall = max(min(stall, time.Until(end.KillAt)), flushTimeout)
	}
	r.streams.Drain(stall)
	return r.lastLine(end.Code(), end.Crashed(), func(line *logs.Event) {
		end.Report(line, r.before, after)
		if pre != "" {
			line.Str("pre", logs.Truncate(pre))
		}
	})
}

// notStarted reports why a process was not started, and returns the status to exit with.
func (r *run) notStarted(err error) int { return r.failed(err, exec.ExitCode(err)) }

// failed reports err on stderr and as the last line of the log, and returns what
// --remap-exit makes of code.
func (r *run) failed(err error, code int) int {
	r.printError(errors.New(string(logs.Redact([]byte(err.Error()), r.config.Redactions()))))
	r.streams.Drain(drainTimeout) // of other workers, or what ran before
	return r.lastLine(code, true, func(line *logs.Event) {
		line.Str("cause", "not_started").Int("status", code).Str("error", logs.Truncate(err.Error()))
	})
}

// lastLine writes the last line, with what facts adds to it, to the log and to
// where Kubernetes looks for it. It returns what --remap-exit makes of code.
func (r *run) lastLine(code int, crashed bool, facts func(*logs.Event)) int {
	r.log.Flush(flushTimeout) // a flood before the end must leave room for the last line
	remapped := r.config.Remapped(code)
	var message bytes.Buffer
	for _, l := range []*logs.Logger{r.log, logs.New(&message, logs.JSON, logs.LevelInfo, logs.FieldsOf(string(r.config.LogFields)))} {
		start := l.Info
		if crashed {
			start = l.Error
		}
		line := start("exit")
		facts(line)
		if remapped != code {
			line.Int("exit_status", remapped)
		}
		line.Send()
	}
	writeTerminationLog(logs.Redact(message.Bytes(), r.config.Redactions()))
	return remapped
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
