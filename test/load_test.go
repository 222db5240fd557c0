package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A load is wrk, which asks until it is stopped.
type load struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string
	out     bytes.Buffer
}

// startLoad puts a load on the server at address, with connections that are kept
// or, if close, one for each request. It returns once there have been answers.
func startLoad(t *testing.T, address string, close bool) *load {
	t.Helper()
	l := &load{t: t, address: address}
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

// untilAnswered waits until each of its connections has brought something since
// then: wrk says nothing of a request that is never answered.
func (l *load) untilAnswered(since time.Time) {
	l.t.Helper()
	waitUntil(l.t, "each connection to "+l.address+" to bring something", func() bool {
		conns, err := run("ss", "--no-header", "--oneline", "--tcp", "--numeric", "--info", "state", "established", "dst", l.address)
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

var (
	wrkRequests = regexp.MustCompile(`(?m)^\s*(\d+) requests in `)
	// What wrk calls a timeout is an answer that took two seconds, which is none the less one.
	wrkSlow = regexp.MustCompile(`Socket errors: connect 0, read 0, write 0, timeout \d+`)
)

// stop ends the load, of which nothing may have failed.
func (l *load) stop() {
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

// startLoaded starts a server without shutdown code under both kinds of load.
func startLoaded(t *testing.T, p primary, flags string) (k *cluster, loads []*load) {
	t.Helper()
	port := reservePort(t)
	k = p.start(t, app{workers: 2, flags: flags, file: "../apps/heap/server.js", env: []string{fmt.Sprintf("PORT=%d", port)}})
	k.untilLogged(2, "worker ready")
	for _, close := range []bool{false, true} {
		loads = append(loads, startLoad(t, local(port), close))
	}
	return k, loads
}

// Reloads drop nothing, of an application that has never heard of them.
func TestClusterReloadsUnderLoad(t *testing.T) {
	list := append(nodeinits("rr"), onNewest(nodeinits("shared", "reuseport", "ip-hash"))...)
	underEach(t, list, func(t *testing.T, p primary) {
		k, loads := startLoaded(t, p, onHUP)
		for n := range 2 {
			k.Signal(unix.SIGHUP)
			k.untilLogged(n+1, "reload done")
		}
		for _, l := range loads {
			l.stop()
		}
		k.stopWith(terminated)
		if report := lastLine(t, k.Output()); report.Facts["starts"] != 6.0 || report.Facts["crashes"] != 0.0 {
			t.Errorf("exit report %v, want 6 starts and no crash", report.Facts)
		}
	})
}

// Neither do recycles.
func TestClusterRecyclesUnderLoad(t *testing.T) {
	underEach(t, onNewest(nodeinits(allBalances...)), func(t *testing.T, p primary) {
		k, loads := startLoaded(t, p, "--max-age 2s")
		k.untilLogged(4, "worker ended")
		for _, l := range loads {
			l.stop()
		}
		k.stopWith(terminated)
		if report := lastLine(t, k.Output()); report.Facts["crashes"] != 0.0 {
			t.Errorf("exit report %v, want no crash", report.Facts)
		}
		for _, l := range k.logged("recycling worker") {
			if l.Facts["why"] != "max_age" {
				t.Errorf("logged %v", l.Facts)
			}
		}
	})
}
