package operate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/bench/server"
)

// listens is what each application in testdata/operate says, once per worker.
const listens = "the application listens"

// A player is a process of a row whose lines are read: a contender, or what
// stands in front of it.
type player struct {
	*journal
	name  string
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended and all its lines are there
}

// play starts a process in the network of the calling thread.
func play(name string, argv, env []string) (*player, error) {
	p := &player{journal: newJournal(), name: name, ended: make(chan struct{})}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = p.journal, p.journal
	p.cmd.Env = slices.Concat(os.Environ(), env)
	// A ^C is for the bench, which ends its players itself.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	p.cmd.WaitDelay = time.Second // a process that inherited its output may live on
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its lines
		close(p.ended)
	}()
	return p, nil
}

// awaitLines waits for n more lines with all of the words.
func (p *player) awaitLines(ctx context.Context, from, n int, words ...string) error {
	what := fmt.Sprintf("%d lines with %q", n, words)
	return p.await(ctx, from, what, p.ended, func(lines []string) (bool, error) {
		return countLines(lines, words...) >= n, nil
	})
}

// command runs a command of the shell's kind to its end, in the network of the
// calling thread.
func command(ctx context.Context, env []string, argv ...string) (string, error) {
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = slices.Concat(os.Environ(), env)
	cmd.Stderr = &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s%s", strings.Join(argv, " "), err, out, stderr.String())
	}
	return strings.TrimSpace(string(out)), err
}

// adoptOrphans makes what daemonises below the bench its child, so that
// endPlayers finds it.
func adoptOrphans() error {
	return os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
}

// endPlayers kills all that runs below the bench, parents first so that none
// is replaced, and returns when all have ended.
func endPlayers(players []*player) error {
	err := server.Until(func() (bool, error) {
		all, err := server.Descendants(os.Getpid())
		if err != nil {
			return false, err
		}
		for _, pid := range all[1:] {
			_ = unix.Kill(pid, unix.SIGKILL) // may have ended by itself meanwhile
		}
		return !slices.ContainsFunc(all[1:], server.Alive), nil
	})
	for _, p := range players {
		<-p.ended
	}
	// Now only adopted processes are left to be waited for.
	for {
		if _, wait := unix.Wait4(-1, nil, unix.WNOHANG, nil); errors.Is(wait, unix.ECHILD) {
			return err
		} else if wait != nil && !errors.Is(wait, unix.EINTR) {
			return errors.Join(err, os.NewSyscallError("wait4", wait))
		}
	}
}
