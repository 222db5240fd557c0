package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// UnderInit returns the command that runs argv under nodeinit as PID 1 of a PID
// namespace of its own. The flags are nodeinit's and split at spaces.
func UnderInit(flags string, argv ...string) testproc.Command {
	return testproc.Command{PID1: true, Argv: slices.Concat([]string{Nodeinit}, strings.Fields(flags), []string{"--"}, argv)}
}

// WithEnv returns c with more variables (NAME=VALUE) in its environment.
func WithEnv(c testproc.Command, vars ...string) testproc.Command {
	if c.Env == nil {
		c.Env = os.Environ()
	}
	c.Env = append(c.Env, vars...)
	return c
}

// Under returns c with a prefix to its command that execs the rest, such as a
// role that changes what the process inherits.
func Under(c testproc.Command, prefix ...string) testproc.Command {
	c.Argv = slices.Concat(prefix, c.Argv)
	return c
}

// Become executes args in place of this process; a role may end with it.
func Become(args []string) {
	Fail(unix.Exec(args[0], args, os.Environ()))
}

// Fail ends a role that cannot go on: its error is in Errors of the process.
func Fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(97)
}

// Run runs a command and returns its output without the white space around it.
// If it fails, or hangs, the error has what it wrote to stderr.
func Run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), testproc.HangLimit)
	defer cancel()
	var stderr strings.Builder
	command := exec.CommandContext(ctx, name, args...)
	command.Stderr = &stderr
	command.WaitDelay = testproc.HangLimit // a process that outlives it may hold its output open
	out, err := command.Output()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out, stderr.String())
	}
	return strings.TrimSpace(string(out)), err
}
