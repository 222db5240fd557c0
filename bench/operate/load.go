package operate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/bench/server"
)

// How a row is loaded.
const (
	loadKept = "ka"   // connections are kept
	loadNew  = "new"  // each request has a connection of its own
	loadPost = "post" // as ka, but what nginx must not ask the other one
)

// stuckAfter is for how long a connection must have brought nothing to count as
// stuck at the end of a load. Answers take milliseconds.
const stuckAfter = 5 * time.Second

// A wave is a load that goes on until it is stopped: by wrk or, for HTTP/2, by
// the bench itself. Both print the same line of JSON when they get SIGINT.
type wave struct {
	cmd      *exec.Cmd
	out, err bytes.Buffer
}

// A tally is what came of a load.
type tally struct {
	Requests                              int
	Connect, Read, Write, Timeout, Status int
	Resent, Connections                   int // HTTP/2: see flood
}

func (t tally) failed() int { return t.Connect + t.Read + t.Write + t.Timeout + t.Status }

// startWave starts a load with as many threads as addresses, or two. It is up
// when a connection is.
func startWave(kind, url string, http2 bool, addrs []string) (*wave, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	argv := []string{
		"wrk", "--threads", strconv.Itoa(cmp.Or(len(addrs), 2)), "--connections", strconv.Itoa(server.Clients),
		"--duration", "24h", "--timeout", "10s", "--script", "bench/testdata/wrk.lua",
	}
	if kind == loadNew {
		argv = append(argv, "--header", "Connection: close")
	}
	if http2 {
		argv = []string{self, FloodRole, kind}
	}
	w := &wave{cmd: exec.Command(argv[0], append(argv[1:], url)...)}
	w.cmd.Env = append(os.Environ(), "BENCH_ADDRS="+strings.Join(addrs, " "))
	if kind == loadPost {
		w.cmd.Env = append(w.cmd.Env, "BENCH_METHOD=POST")
	}
	w.cmd.Stdout, w.cmd.Stderr = &w.out, &w.err
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	err = server.Until(func() (bool, error) {
		conns, err := w.connections()
		return len(conns) > 0, err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("load does not begin: %w", err), w.kill())
	}
	return w, nil
}

// kill ends a load whose figures are not needed.
func (w *wave) kill() error {
	_ = w.cmd.Process.Kill() // has ended already
	_ = w.cmd.Wait()         // was killed
	return errors.New(w.said())
}

// stop ends the load, once it has shown what became of the last event, which was
// over at last, and returns what came of all.
func (w *wave) stop(last time.Time) (t tally, err error) {
	stuck, err := w.stuck(last)
	if err != nil {
		return t, errors.Join(err, w.kill())
	}
	if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
		return t, errors.Join(err, w.kill())
	}
	if err := w.cmd.Wait(); err != nil {
		return t, fmt.Errorf("load: %w\n%s", err, w.said())
	}
	lines := bytes.Split(bytes.TrimSpace(w.out.Bytes()), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &t); err != nil {
		return t, fmt.Errorf("load: %w in\n%s", err, w.said())
	}
	t.Timeout += stuck
	if t.Requests == 0 {
		return t, fmt.Errorf("load: no request was answered\n%s", w.said())
	}
	return t, nil
}

func (w *wave) said() string {
	return strings.TrimSpace(w.out.String() + w.err.String())
}

// stuck returns how many connections wait in vain: wrk forgets a request that is
// never answered. Each connection has either brought something since the last
// event or has been silent for too long.
func (w *wave) stuck(last time.Time) (n int, err error) {
	err = server.Until(func() (bool, error) {
		silent, err := w.connections()
		n = len(silent)
		for _, d := range silent {
			switch {
			case d > stuckAfter:
			case d < time.Since(last):
				n--
			default:
				return false, err
			}
		}
		return true, err
	})
	return n, err
}

var lastReceived = regexp.MustCompile(`\blastrcv:(\d+)`)

// connections returns for how long each connection of the load has brought
// nothing.
func (w *wave) connections() (silent []time.Duration, err error) {
	out, err := command(context.Background(), nil, "ss", "--no-header", "--oneline", "--tcp", "--numeric", "--info", "--processes", "state", "established")
	if err != nil {
		return nil, err
	}
	mine := fmt.Sprintf(",pid=%d,", w.cmd.Process.Pid)
	for line := range strings.Lines(out) {
		match := lastReceived.FindStringSubmatch(line)
		if !strings.Contains(line, mine) || match == nil {
			continue
		}
		ms, err := strconv.Atoi(match[1])
		if err != nil {
			return nil, err
		}
		silent = append(silent, time.Duration(ms)*time.Millisecond)
	}
	return silent, nil
}
