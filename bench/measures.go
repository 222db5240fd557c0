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
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const orphanCount = 10_000

// A running is an init with a program under it that has reported to be up.
type running struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser // the program ends when it closes
	reports *bufio.Reader
}

// start starts argv under s as PID 1 of a namespace and waits for its first
// line. Without an init the program itself is PID 1.
func start(s subject, argv ...string) (*running, error) {
	argv = append(append([]string{}, s.argv...), argv...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
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
		return nil, fmt.Errorf("not up: %w", err)
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

// firstOutput is the time from starting the init until echo has written.
func firstOutput(s subject) ([]float64, error) {
	before := time.Now()
	r, err := start(s, "/bin/echo", "up")
	took := time.Since(before)
	if err != nil {
		return nil, err
	}
	return milliseconds(took), r.end()
}

// memory is what the init itself holds while its program idles.
func memory(s subject) ([]float64, error) {
	if s.argv == nil {
		return nil, nil
	}
	r, err := start(s, "/bin/sh", "-c", "echo up; exec cat")
	if err != nil {
		return nil, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid))
	if err != nil {
		return nil, err
	}
	return []float64{kib(status, "VmRSS:"), kib(status, "RssAnon:")}, r.end()
}

func kib(status []byte, key string) float64 {
	_, after, _ := bytes.Cut(status, []byte(key))
	n, _ := strconv.ParseFloat(strings.Fields(string(after))[0], 64)
	return n
}

// signalLatency is the time from kill until the program's handler has written.
func signalLatency(s subject) ([]float64, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r, err := start(s, self, "role-handler")
	if err != nil {
		return nil, err
	}
	before := time.Now()
	if err := r.cmd.Process.Signal(unix.SIGUSR1); err != nil {
		return nil, err
	}
	if err := r.line(); err != nil {
		return nil, err
	}
	return milliseconds(time.Since(before)), r.end()
}

// reapOrphans is the time from the end of all orphans at once until the init
// has no child but the program.
func reapOrphans(s subject) ([]float64, error) {
	if s.argv == nil {
		return nil, nil
	}
	hold, release, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	// The inner shell leaves children behind that wait on descriptor 3, cheap
	// because they are forked without exec.
	script := fmt.Sprintf(`( i=0; while [ $i -lt %d ]; do (read x <&3) & i=$((i+1)); done ); echo up; exec cat`, orphanCount)
	s.argv = append([]string{"/bin/sh", "-c", `exec 3<&` + strconv.Itoa(int(hold.Fd())) + `; exec "$@"`, "sh"}, s.argv...)
	if _, err := unix.FcntlInt(hold.Fd(), unix.F_SETFD, 0); err != nil {
		return nil, err
	}
	r, err := start(s, "/bin/sh", "-c", script)
	hold.Close()
	if err != nil {
		return nil, err
	}
	before := time.Now()
	release.Close()
	for {
		left, err := children(r.cmd.Process.Pid)
		if err != nil {
			return nil, err
		}
		if left == 1 {
			return milliseconds(time.Since(before)), r.end()
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
