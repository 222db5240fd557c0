package cluster

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// An event is what an application reported.
type event struct {
	Event string
	Slot  int
	Facts map[string]any // all of it
}

// A worker is an application's process, as seen by its test.
type worker struct {
	Slot int
	PID  int // as the test sees it
	t    *testing.T
	conn *net.UnixConn

	mu      sync.Mutex
	asked   int
	answers map[int]chan answer
	events  chan event    // closed when the worker has ended
	ended   chan struct{} // closed then as well
}

type answer struct {
	N      int
	Result json.RawMessage
	Error  *nodeError
}

// A nodeError is what a program can see of an error.
type nodeError struct {
	Name, Code, Syscall, Address, Message string
	Errno, Port                           int
}

func (e *nodeError) String() string {
	if e == nil {
		return "none"
	}
	return e.Message
}

// follow reads what a worker reports until it ends.
func (k *cluster) follow(conn *net.UnixConn) {
	defer conn.Close()
	w := &worker{t: k.t, conn: conn, answers: make(map[int]chan answer), events: make(chan event, 65536), ended: make(chan struct{})}
	defer close(w.ended)
	defer close(w.events)
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			if peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
				w.PID = int(peer.Pid)
			}
		})
	}
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var report struct {
			answer
			event
		}
		if json.Unmarshal(lines.Bytes(), &report) != nil || json.Unmarshal(lines.Bytes(), &report.Facts) != nil {
			return // half a line of one that was killed
		}
		switch report.Event {
		case "":
			w.mu.Lock()
			w.answers[report.N] <- report.answer
			w.mu.Unlock()
		case "hello":
			w.Slot = report.Slot
			k.hellos <- w
		default:
			w.events <- report.event
		}
	}
}

// next returns the worker that comes up next.
func (k *cluster) next() *worker {
	k.t.Helper()
	limit, look := time.After(testproc.HangLimit), time.NewTicker(100*time.Millisecond)
	defer look.Stop()
	for {
		select {
		case w := <-k.hellos:
			return w
		case <-look.C:
			if unix.Kill(k.PID, 0) != nil {
				k.t.Fatal("the primary has ended before a worker came up")
			}
		case <-limit:
			k.t.Fatal("no worker comes up")
		}
	}
}

// all returns the first n workers by their slots.
func (k *cluster) all(n int) []*worker {
	k.t.Helper()
	workers := make([]*worker, n)
	for range n {
		w := k.next()
		if w.Slot < 0 || w.Slot >= n || workers[w.Slot] != nil {
			k.t.Fatalf("a worker has slot %d, one of %d", w.Slot, n)
		}
		workers[w.Slot] = w
	}
	return workers
}

// stop is SIGTERM to the primary, which ends with status 0.
func (k *cluster) stop() {
	k.t.Helper()
	k.Signal(unix.SIGTERM)
	k.WaitCode(0)
}

// try runs a command of the application and returns its result into result, or
// its error.
func (w *worker) try(command string, argument, result any) *nodeError {
	w.t.Helper()
	return w.begin(command, argument)(result)
}

// do is try of what has to succeed.
func (w *worker) do(command string, argument, result any) {
	w.t.Helper()
	if err := w.try(command, argument, result); err != nil {
		w.t.Fatalf("worker %d: %s %v: %s", w.Slot, command, argument, err)
	}
}

// begin sends a command; what it returns waits for the answer.
func (w *worker) begin(command string, argument any) func(result any) *nodeError {
	w.t.Helper()
	w.mu.Lock()
	w.asked++
	n, got := w.asked, make(chan answer, 1)
	w.answers[n] = got
	w.mu.Unlock()
	line, err := json.Marshal(map[string]any{"n": n, "command": command, "argument": argument})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.conn.Write(append(line, '\n')); err != nil {
		w.t.Fatalf("worker %d: %s: %v", w.Slot, command, err)
	}
	return func(result any) *nodeError {
		w.t.Helper()
		var a answer
		select {
		case a = <-got:
		case <-w.ended:
			select {
			case a = <-got: // its last words
			default:
				w.t.Fatalf("worker %d ended at %s", w.Slot, command)
			}
		case <-time.After(testproc.HangLimit):
			w.t.Fatalf("worker %d does not answer %s", w.Slot, command)
		}
		if a.Error == nil && result != nil {
			if err := json.Unmarshal(a.Result, result); err != nil {
				w.t.Fatalf("worker %d: %s: %s: %v", w.Slot, command, a.Result, err)
			}
		}
		return a.Error
	}
}

// event returns the next event.
func (w *worker) event() event {
	w.t.Helper()
	select {
	case e, ok := <-w.events:
		if !ok {
			w.t.Fatalf("worker %d has ended", w.Slot)
		}
		return e
	case <-time.After(testproc.HangLimit):
		w.t.Fatalf("worker %d reports nothing", w.Slot)
	}
	return event{}
}

// expect reads an event for each of want.
func (w *worker) expect(want ...string) {
	w.t.Helper()
	for _, name := range want {
		if e := w.event(); e.Event != name {
			w.t.Fatalf("worker %d reports %v, want %s", w.Slot, e.Facts, name)
		}
	}
}

// rest returns the names of the events from here on, once the worker has ended.
func (w *worker) rest() []string {
	w.t.Helper()
	select {
	case <-w.ended:
	case <-time.After(testproc.HangLimit):
		w.t.Fatalf("worker %d does not end", w.Slot)
	}
	var names []string
	for e := range w.events {
		names = append(names, e.Event)
	}
	return names
}

// block stops the worker in the middle of its JavaScript; what it returns lets
// it go on.
func (w *worker) block() (release func()) {
	w.t.Helper()
	fifo := filepath.Join(harness.ShortDir(w.t), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.do("block", fifo, nil)
	w.expect("blocking")
	return func() {
		w.t.Helper()
		gate, err := os.OpenFile(fifo, os.O_WRONLY, 0)
		if err != nil {
			w.t.Fatal(err)
		}
		gate.Close()
		w.expect("unblocked")
	}
}
