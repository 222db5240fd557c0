package harness

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Load is a wrk that sends requests until it is stopped.
type Load struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string
	out     bytes.Buffer
}

// StartLoad puts a load on the server at address, with connections that are kept
// or, if close, one for each request. It returns after the first answers.
func StartLoad(t *testing.T, address string, close bool) *Load {
	t.Helper()
	l := &Load{t: t, address: address}
	args := []string{"--threads", "1", "--connections", "8", "--duration", "1h"}
	if close {
		args = append(args, "--header", "Connection: close")
	}
	l.cmd = exec.Command("wrk", append(args, "http://"+address+"/")...)
	l.cmd.Stdout, l.cmd.Stderr = &l.out, &l.out
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := l.cmd.Start(); err != nil {
		t.Fatalf("%v; test/setup.sh brings wrk", err)
	}
	t.Cleanup(func() { _ = l.cmd.Process.Kill() })
	l.untilAnswered(time.Now())
	return l
}

var lastReceived = regexp.MustCompile(`\blastrcv:(\d+)`)

var (
	wrkRequests = regexp.MustCompile(`(?m)^\s*(\d+) requests in `)
	// What wrk calls a timeout is an answer that took two seconds, which is none the less one.
	wrkSlow = regexp.MustCompile(`Socket errors: connect 0, read 0, write 0, timeout \d+`)
)

// untilAnswered waits until each of its connections has brought something since
// then: wrk says nothing of a request that is never answered.
func (l *Load) untilAnswered(since time.Time) {
	l.t.Helper()
	WaitUntil(l.t, "each connection to "+l.address+" to bring something", func() bool {
		conns, err := Run("ss", "--no-header", "--oneline", "--tcp", "--numeric", "--info", "state", "established", "dst", l.address)
		if err != nil {
			l.t.Fatal(err)
		}
		n := 0
		for line := range strings.Lines(conns) {
			n++
			match := lastReceived.FindStringSubmatch(line)
			if match == nil {
				continue // less than a millisecond ago
			}
			ms, err := strconv.Atoi(match[1])
			if err != nil {
				l.t.Fatal(err)
			}
			if time.Duration(ms)*time.Millisecond >= time.Since(since) {
				return false
			}
		}
		return n > 0
	})
}

// Stop ends the load, and fails the test if any request has failed.
func (l *Load) Stop() {
	l.t.Helper()
	l.untilAnswered(time.Now())
	if err := l.cmd.Process.Signal(os.Interrupt); err != nil {
		l.t.Fatal(err)
	}
	if err := l.cmd.Wait(); err != nil {
		l.t.Fatalf("wrk: %v\n%s", err, &l.out)
	}
	said := wrkSlow.ReplaceAllString(l.out.String(), "")
	match := wrkRequests.FindStringSubmatch(said)
	if match == nil || match[1] == "0" || strings.Contains(said, "Socket errors") || strings.Contains(said, "Non-2xx") {
		l.t.Errorf("wrk:\n%s", said)
	}
}
