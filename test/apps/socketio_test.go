package apps

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// With --balance ip-hash a client's address decides which worker it reaches,
// with each connection anew: that is what polling needs. A worker that crashed
// leaves its clients to its replacement, and no other client notices.
func TestSocketIOIsSticky(t *testing.T) {
	s := sample{name: "socket.io", argv: []string{"server.js"}, since: "18.20.8", status: bySignal}
	t.Parallel()
	for _, version := range s.versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			v := s.serve(t, harness.Primary{Node: version, Balance: "ip-hash"}, "--max-crashes 1")
			clients := startSocketClients(t, v, version, s.directory(t))
			before := clients.ask()
			workers := v.listening()
			for name, pid := range before {
				address, _, _ := strings.Cut(name, " ")
				if pid != before[address+" polling"] {
					t.Errorf("%s reaches %d, its client polls %d from there", name, pid, before[address+" polling"])
				}
			}
			if pids := slices.Sorted(maps.Values(before)); !slices.Equal(slices.Compact(pids), slices.Sorted(maps.Values(workers))) {
				t.Fatalf("clients reach %v, want workers %v", pids, workers)
			}
			if again := clients.ask(); !maps.Equal(again, before) {
				t.Errorf("clients reach %v, and %v when they ask again", before, again)
			}

			crashed := workers[0]
			if err := unix.Kill(v.outside(crashed), unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			harness.WaitUntil(t, "the replacement to listen", func() bool {
				now := v.listening()
				return len(now) == 2 && now[0] != crashed
			})
			replacement := v.listening()[0]
			want := maps.Clone(before)
			for name, pid := range before {
				if pid == crashed {
					want[name] = replacement
				}
			}
			clients.expectLost(before, crashed)
			if after := clients.ask(); !maps.Equal(after, want) {
				t.Errorf("clients reached %v; now %v, want %v", before, after, want)
			}
			clients.close()
		})
	}
}

// socketClients are the clients of testdata/apps/socket.io/client.js.
type socketClients struct {
	*testproc.Process
	t     *testing.T
	stdin io.WriteCloser
}

func startSocketClients(t *testing.T, v *service, version, dir string) *socketClients {
	t.Helper()
	argv := []string{harness.NodeBinary(t, version), "client.js", fmt.Sprintf("http://127.0.0.1:%d/", v.port)}
	for i := range 8 {
		argv = append(argv, fmt.Sprintf("127.0.0.%d", i+2))
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	t.Cleanup(func() { write.Close() })
	return &socketClients{testproc.Command{Argv: argv, Dir: dir, Stdin: read}.Start(t), t, write}
}

// A saying is what client.js reports: answers, or that a connection was lost.
type saying struct {
	Answers map[string]int
	Lost    string
}

func (c *socketClients) next() (s saying) {
	c.t.Helper()
	line := c.Line()
	if err := json.Unmarshal([]byte(line), &s); err != nil {
		c.t.Fatalf("%v in %q", err, line)
	}
	return s
}

// ask returns the process that each client reaches.
func (c *socketClients) ask() map[string]int {
	c.t.Helper()
	if _, err := io.WriteString(c.stdin, "who\n"); err != nil {
		c.t.Fatal(err)
	}
	s := c.next()
	if s.Lost != "" {
		c.t.Fatalf("client %s lost its connection", s.Lost)
	}
	return s.Answers
}

func (c *socketClients) close() {
	c.t.Helper()
	c.stdin.Close()
	c.WaitCode(0)
}

// expectLost waits until each client that reached pid has lost its connection,
// and no other has.
func (c *socketClients) expectLost(reached map[string]int, pid int) {
	c.t.Helper()
	var want, got []string
	for name, p := range reached {
		if p == pid {
			want = append(want, name)
		}
	}
	for range want {
		got = append(got, c.next().Lost)
	}
	slices.Sort(want)
	if slices.Sort(got); !slices.Equal(got, want) {
		c.t.Fatalf("%v lost their connections, want %v", got, want)
	}
}
