package cluster

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// onHUP is the flag for reloads by SIGHUP.
const onHUP = "--reload-signal HUP"

// servants are workers of an application without shutdown code.
func servants(n int, flags string) app { return app{workers: n, flags: flags, file: "servant.js"} }

// inForkMode makes a the only process of its container.
func inForkMode(a app) app {
	a.change = func(c *testproc.Command) { c.Argv[slices.Index(c.Argv, "--mode")+1] = "fork" }
	return a
}

// A scratch is an application that changes on disk.
type scratch struct {
	t    *testing.T
	file string
	node string // a link to Node, if it has one
}

// newScratch makes one that is a servant, and returns it with its path for [app].
func newScratch(t *testing.T) (s scratch, file string) {
	t.Helper()
	s = scratch{t: t, file: filepath.Join(t.TempDir(), "main.js")}
	file, err := filepath.Rel(clusterDir(t), s.file)
	if err != nil {
		t.Fatal(err)
	}
	s.becomes("")
	return s, file
}

// becomes makes it run more than the servant, before that.
func (s scratch) becomes(more string) {
	s.t.Helper()
	harness.WriteFile(s.t, s.file, fmt.Sprintf("%s\nrequire(%q);\n", more, filepath.Join(clusterDir(s.t), "servant.js")), 0o644)
}

// tells makes it report an event when it starts.
func (s scratch) tells(event string) {
	s.t.Helper()
	s.becomes(fmt.Sprintf("require(%q).tell(%q);", filepath.Join(clusterDir(s.t), "control.js"), event))
}

func (s scratch) linkNode() {
	s.t.Helper()
	if err := os.Symlink(harness.NodeBinary(s.t, harness.NewestLine), s.node); err != nil {
		s.t.Fatal(err)
	}
}

func (s scratch) removeNode() {
	s.t.Helper()
	if err := os.Remove(s.node); err != nil {
		s.t.Fatal(err)
	}
}

func clusterDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("testdata/cluster")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// own are nodeinit's lines so far.
func (k *cluster) own() []harness.LogLine {
	k.t.Helper()
	return harness.OwnLines(k.t, k.Output())
}

// logged are those with a message.
func (k *cluster) logged(msg string) []harness.LogLine {
	k.t.Helper()
	return slices.DeleteFunc(k.own(), func(l harness.LogLine) bool { return l.Msg != msg })
}

// untilLogged waits for the nth line with a message, and returns it.
func (k *cluster) untilLogged(n int, msg string) harness.LogLine {
	k.t.Helper()
	harness.WaitUntil(k.t, fmt.Sprintf("%d times %q in the log", n, msg), func() bool {
		if unix.Kill(k.PID, 0) != nil && len(k.logged(msg)) < n {
			k.t.Fatalf("the primary has ended without %d times %q in the log", n, msg)
		}
		return len(k.logged(msg)) >= n
	})
	return k.logged(msg)[n-1]
}

// story is what the log tells of the workers since the line that says begin: the
// slot, a letter (a is its first worker, b the second), and what happened to it.
func (k *cluster) story(begin string) []string {
	k.t.Helper()
	names := make(map[any]string)
	count := make(map[any]int)
	var story []string
	begun := false
	for _, l := range k.own() {
		slot, about := l.Facts["worker"], l.Facts["pid"]
		begun = begun || l.Msg == begin
		what, isWorkers := strings.CutPrefix(l.Msg, "worker ")
		if !isWorkers || about == nil {
			continue
		}
		if what == "started" {
			names[about] = fmt.Sprintf("%v%c", slot, 'a'+count[slot])
			count[slot]++
		}
		if begun {
			story = append(story, names[about]+" "+what)
		}
	}
	return story
}

// replaced is the story of a slot whose worker is replaced.
func replaced(slot int, old, next byte) []string {
	was, is := fmt.Sprintf("%d%c ", slot, old), fmt.Sprintf("%d%c ", slot, next)
	return []string{is + "started", is + "listening", is + "ready", was + "leaving", was + "ended"}
}

func (k *cluster) expectStory(begin string, chapters ...[]string) {
	k.t.Helper()
	if got, want := k.story(begin), slices.Concat(chapters...); !slices.Equal(got, want) {
		k.t.Errorf("the log tells\n%q, want\n%q", got, want)
	}
}

// nextIn returns the worker that comes up next, in slot.
func (k *cluster) nextIn(slot int) *worker {
	k.t.Helper()
	w := k.next()
	if w.Slot != slot {
		k.t.Fatalf("a worker comes up in slot %d, want %d", w.Slot, slot)
	}
	return w
}

// listenEach has each of workers listen on a port.
func listenEach(workers []*worker, port int) {
	for _, w := range workers {
		w.t.Helper()
		w.listens(listenTo(port, "127.0.0.1"))
	}
}

// replaceAll waits for the replacement of each of workers, has it listen, and
// puts it in its place once the old one has ended.
func (k *cluster) replaceAll(workers []*worker, port int) {
	k.t.Helper()
	for slot, old := range workers {
		workers[slot] = k.nextIn(slot)
		workers[slot].listens(listenTo(port, "127.0.0.1"))
		old.rest()
	}
}

// stopWith is SIGTERM to the primary, which ends with status.
func (k *cluster) stopWith(status int) {
	k.t.Helper()
	k.Signal(unix.SIGTERM)
	k.WaitCode(status)
}

// expectNone checks that no worker has come up meanwhile.
func (k *cluster) expectNone() {
	k.t.Helper()
	select {
	case w := <-k.hellos:
		k.t.Errorf("a worker came up in slot %d", w.Slot)
	default:
	}
}

// hold asks for an answer that never ends, and returns the slot of the worker
// that has begun it.
func hold(t *testing.T, port int) (slot int, held net.Conn) {
	t.Helper()
	conn, err := net.Dial("tcp", harness.Local(port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(testproc.HangLimit)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("GET /hold HTTP/1.1\r\nHost: test\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if slot, err = readSlot(response.Body); err != nil {
		t.Fatal(err)
	}
	return slot, conn
}
