package main

import (
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/admin"
	"github.com/nodeinit/nodeinit/exec"
)

const topHelp = `nodeinit top [--pid N]

Shows what status shows, once a second, with sparklines of how busy the event loop of
each worker is and of its requests per second. q quits, r reloads, s sorts, h tells
more. Where stdout is no terminal, or a dumb one, it prints the status each second.`

// topInterval is the time between two documents.
const topInterval = time.Second

// top shows the state of a running nodeinit until it is told to quit, or that has ended.
func top(a *app, args []string) int {
	signal.Reset() // with a flag before the subcommand main has caught them all
	rest, code, ok := a.parse("top", args, func(set *pflag.FlagSet) { clientFlags(a, set) })
	if !ok {
		return code
	}
	if err := noArguments("top", rest); err != nil {
		return a.usageError(err)
	}
	s, err := dial(a)
	if err == nil {
		if term := exec.Getenv(a.environ, "TERM"); isTerminal(unix.Stdout) && term != "" && term != "dumb" {
			code, err = topLive(a, s)
		} else {
			err = repeatStatus(a.stdout, s)
		}
	}
	if err != nil {
		a.printError(fmt.Errorf("top: %w", err))
		return exitFailed
	}
	return code
}

// repeatStatus prints the status each second, until nobody reads it or the server ends.
func repeatStatus(w io.Writer, s *admin.Client) error {
	pid := 0
	for ; ; <-time.After(topInterval) {
		text := ""
		switch d, err := s.Status(); {
		case err == nil:
			pid = d.Nodeinit.PID
			columns, _ := terminalSize()
			text = strings.Join(d.Text(columns), "\n")
		case pid == 0:
			return err
		case hasEnded(pid, err):
			return endedError(pid)
		default: // it may be busy
			text = err.Error()
		}
		text += "\n\n"
		if _, err := io.WriteString(w, text); errors.Is(err, unix.EPIPE) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// hasEnded reports whether the nodeinit has that failed to answer with err: a process
// that may not be signalled has not.
func hasEnded(pid int, err error) bool {
	return unix.Kill(pid, 0) == unix.ESRCH || errors.Is(err, unix.ECONNREFUSED)
}

func endedError(pid int) error {
	return errors.New("nodeinit (pid " + strconv.Itoa(pid) + ") has ended")
}

// isUTF8 reports whether the locale of an environment has UTF-8 (locale(7)). docker exec
// passes none, and terminals have had UTF-8 for long: then it is that.
func isUTF8(environ []string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := strings.ToLower(exec.Getenv(environ, name)); value != "" {
			return strings.HasSuffix(value, ".utf-8") || strings.HasSuffix(value, ".utf8")
		}
	}
	return true
}
