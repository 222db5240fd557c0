package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/bench/server"
)

const orphanCount = 10_000

// A running is an init with a program under it that has reported to be up.
type running struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser // the program ends when it closes
	reports *bufio.Reader
}

// asPID1 is the contender, with argv behind its words, as PID 1 of a namespace.
func (c contender) asPID1(argv ...string) *exec.Cmd {
	argv = slices.Concat(c.argv(1), argv)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = slices.Concat(os.Environ(), c.env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	return cmd
}

// startInit starts argv under an init and waits for its first line. Without an init
// the program itself is PID 1.
func (c contender) startInit(argv ...string) (*running, error) {
	cmd := c.asPID1(argv...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r := &running{cmd: cmd, stdin: stdin, reports: bufio.NewReader(stdout)}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := r.line(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: not up: %w", c.name, err), r.end())
	}
	return r, nil
}

func (r *running) line() error {
	_, err := r.reports.ReadString('\n')
	return err
}

func (r *running) end() error {
	return errors.Join(r.stdin.Close(), r.cmd.Wait())
}

// wholeRun measures a command from its start to its end, and the minor faults of
// it and of what it has waited for.
func wholeRun(c contender, f figures) error {
	cmd := c.asPID1()
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	if err != nil {
		return fmt.Errorf("%s: %q: %w", c.name, cmd.Args, err)
	}
	f.add(whole, c.name, milliseconds(took))
	f.add(wholeFaults, c.name, float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Minflt))
	return nil
}

// firstOutput measures the time from starting the init until echo has written.
func firstOutput(c contender, f figures) error {
	began := time.Now()
	r, err := c.startInit("/bin/echo", "up")
	took := time.Since(began)
	if err != nil {
		return err
	}
	f.add(output, c.name, milliseconds(took))
	return r.end()
}

// memory measures what the init itself holds while its program idles.
func memory(c contender, f figures) error {
	if c.name == noInit {
		return nil
	}
	r, err := c.startInit("/bin/sh", "-c", "echo up; exec cat")
	if err != nil {
		return err
	}
	<-time.After(settle)
	return errors.Join(f.addMemory(c.name, r.cmd.Process.Pid), r.end())
}

// serverMemory measures what nodeinit itself holds while server.js idles.
func serverMemory(c contender, f figures) error {
	return c.with(c.workersOf(2), func(g *group) error {
		if len(g.others) != 1 {
			return fmt.Errorf("processes %v are not nodeinit alone", g.others)
		}
		<-time.After(settle)
		return f.addMemory(c.name, g.others[0])
	})
}

// signalLatency measures the time from kill until the program's handler has
// written.
func signalLatency(c contender, f figures) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r, err := c.startInit(self, "role-handler")
	if err != nil {
		return err
	}
	began := time.Now()
	err = r.cmd.Process.Signal(unix.SIGUSR1)
	if err == nil {
		err = r.line()
	}
	took := time.Since(began)
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", c.name, err), r.end())
	}
	f.add(latency, c.name, milliseconds(took))
	return r.end()
}

// reapOrphans measures the time from the end of all orphans at once until the
// init has no child but the program.
func reapOrphans(c contender, f figures) error {
	if c.name == noInit {
		return nil
	}
	hold, release, err := os.Pipe()
	if err != nil {
		return err
	}
	// The inner shell leaves children behind that wait on descriptor 3, cheap
	// because they are forked without exec.
	script := fmt.Sprintf(`( i=0; while [ $i -lt %d ]; do (read x <&3) & i=$((i+1)); done ); echo up; exec cat`, orphanCount)
	shell := []string{"/bin/sh", "-c", `exec 3<&` + strconv.Itoa(int(hold.Fd())) + `; exec "$@"`, "sh"}
	if _, err := unix.FcntlInt(hold.Fd(), unix.F_SETFD, 0); err != nil {
		return err
	}
	r, err := fixed(c.name, append(shell, c.argv(1)...)...).startInit("/bin/sh", "-c", script)
	hold.Close()
	if err != nil {
		return err
	}
	began := time.Now()
	release.Close()
	for {
		left, err := children(r.cmd.Process.Pid)
		if err != nil {
			return err
		}
		if left == 0 && !server.Alive(r.cmd.Process.Pid) {
			return errors.Join(fmt.Errorf("%s ended", c.name), r.end())
		}
		if left == 1 {
			f.add(orphans, c.name, milliseconds(time.Since(began)))
			return r.end()
		}
	}
}

// children counts the children of a process, each of whose threads has its own.
func children(pid int) (n int, err error) {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return 0, err
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // a thread that has ended
			return 0, err
		}
		n += len(bytes.Fields(text))
	}
	return n, nil
}

// role runs what the measures start of this program itself.
func role(args []string) bool {
	if len(args) != 1 || args[0] != "role-handler" {
		return false
	}
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, unix.SIGUSR1)
	fmt.Println("up")
	<-caught
	fmt.Println("handled")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return true
}
