package cluster_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/internal/testproc"
)

// A site is a primary with real Node workers.
type site struct {
	*cluster.Primary
	t       *testing.T
	program string
	procs   []*exec.Cmd
	states  map[int64]cluster.State
}

func open(t *testing.T, balance cluster.Balance, program string) *site {
	t.Helper()
	p, err := cluster.New(balance)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	s := &site{Primary: p, t: t, program: filepath.Join(t.TempDir(), "app.js"), states: make(map[int64]cluster.State)}
	if err := os.WriteFile(s.program, []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, c := range s.procs {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *site) start(slot int) (*cluster.Worker, *exec.Cmd) {
	s.t.Helper()
	w, fd, err := s.Open(slot)
	if err != nil {
		s.t.Fatal(err)
	}
	end := os.NewFile(uintptr(fd), "channel")
	defer end.Close()
	c := exec.Command("node", s.program)
	c.Env = append(os.Environ(), "NODE_CHANNEL_FD=3", "NODE_CHANNEL_SERIALIZATION_MODE=json",
		fmt.Sprintf("NODE_UNIQUE_ID=%d", len(s.procs)+1), fmt.Sprintf("SLOT=%d", slot))
	c.ExtraFiles = []*os.File{end}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.procs = append(s.procs, c)
	return w, c
}

// until waits until the state of w is as wanted.
func (s *site) until(w *cluster.Worker, what string, ok func(cluster.State) bool) cluster.State {
	s.t.Helper()
	timeout := time.After(testproc.HangLimit)
	for {
		if ok(s.states[w.ID()]) {
			return s.states[w.ID()]
		}
		select {
		case <-s.Reported():
			for _, c := range s.Reports() {
				s.states[c.ID] = c.State
			}
		case <-timeout:
			s.t.Fatalf("not %s: %+v", what, s.states[w.ID()])
		}
	}
}

func listening(n int) func(cluster.State) bool {
	return func(s cluster.State) bool { return len(s.Listening) == n }
}

const echo = `
const net = require('net');
const server = net.createServer(c => c.end(process.env.SLOT));
server.listen({port: 0, host: '127.0.0.1'});
`

func ask(t *testing.T, address string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(testproc.HangLimit))
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestBalances(t *testing.T) {
	t.Parallel()
	for _, balance := range []cluster.Balance{cluster.RR, cluster.Shared, cluster.ReusePort, cluster.IPHash} {
		t.Run(string(balance), func(t *testing.T) {
			t.Parallel()
			s := open(t, balance, echo)
			a, _ := s.start(0)
			b, _ := s.start(1)
			at := s.until(a, "listening", listening(1)).Listening[0]
			if other := s.until(b, "listening", listening(1)).Listening[0]; other != at {
				t.Fatalf("listen on %s and %s", at, other)
			}
			var got strings.Builder
			for range 20 {
				got.WriteString(ask(t, at))
			}
			t.Log(got.String())
			if balance == cluster.RR && got.String() != strings.Repeat("01", 10) && got.String() != strings.Repeat("10", 10) {
				t.Errorf("answered by %s, want them in turn", got.String())
			}
		})
	}
}

// Node takes nodeinit's own connections whatever the balance, without an agent too, and
// they change no turn.
func TestNodeTakesOwnConnections(t *testing.T) {
	t.Parallel()
	for _, balance := range []cluster.Balance{cluster.RR, cluster.Shared, cluster.ReusePort, cluster.IPHash} {
		t.Run(string(balance), func(t *testing.T) {
			t.Parallel()
			s := open(t, balance, echo)
			workers := make([]*cluster.Worker, 2)
			at := ""
			for slot := range workers {
				workers[slot], _ = s.start(slot)
				at = s.until(workers[slot], "listening", listening(1)).Listening[0]
			}
			first := ask(t, at)
			for range 3 {
				for slot, w := range workers {
					fd, err := s.Connect(w.ID(), 0)
					if err != nil {
						t.Fatal(err)
					}
					own := os.NewFile(uintptr(fd), "own")
					if got, err := io.ReadAll(own); string(got) != fmt.Sprint(slot) || err != nil {
						t.Errorf("worker %d: %q, %v", slot, got, err)
					}
					own.Close()
				}
				_, _ = s.Connect(workers[1].ID(), 0)
				if next := ask(t, at); balance == cluster.RR && next == first {
					t.Errorf("%s had two in turn", next)
				} else {
					first = next
				}
			}
		})
	}
}
