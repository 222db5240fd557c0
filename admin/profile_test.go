package admin

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/supervisor"
)

// A profiledWorker is the other end of what a client waits for.
type profiledWorker struct {
	profile Profile
	*os.File
}

// newProfileServer returns a server whose worker is the test, and those that were asked.
func newProfileServer(t *testing.T) (*testServer, chan profiledWorker) {
	asked := make(chan profiledWorker, 10)
	return startServer(t, func(s *testServer) {
		s.Profile = func(p Profile, socket int) (supervisor.Event, error) {
			if p.Worker == 9 {
				return supervisor.Event{}, errors.New("there is no worker 9")
			}
			own, err := unix.FcntlInt(uintptr(socket), unix.F_DUPFD_CLOEXEC, 3)
			if err != nil {
				return supervisor.Event{}, err
			}
			asked <- profiledWorker{p, os.NewFile(uintptr(own), "worker")}
			return supervisor.Event{Slot: p.Worker, PID: 17, Step: StepStarted}, nil
		}
	}), asked
}

// takes has a client take a profile; its result comes later.
func (s *testServer) takes(t *testing.T, p Profile, to io.Writer, on func(Event)) <-chan error {
	t.Helper()
	result := make(chan error, 1)
	go func() {
		client := &Client{address: s.Control}
		result <- client.Profile(p, on, to)
	}()
	return result
}

func TestProfile(t *testing.T) {
	t.Parallel()
	s, asked := newProfileServer(t)
	for range 3 { // each as soon as the one before has its file
		var to bytes.Buffer
		var steps []string
		want := Profile{Kind: "cpu", Seconds: 0.5, Worker: 2}
		result := s.takes(t, want, &to, func(e Event) { steps = append(steps, e.Step) })
		w := <-asked
		if w.profile != want {
			t.Errorf("%+v", w.profile)
		}
		if text := s.ask(t, askStatus); !strings.Contains(text, "ready") {
			t.Errorf("status: %s", text)
		}
		second := s.takes(t, Profile{Kind: "heap"}, io.Discard, func(Event) {})
		if err := <-second; err == nil || err.Error() != "another client is taking a profile, and there is one at a time" {
			t.Errorf("a second one: %v", err)
		}
		text := strings.Repeat("0123456789", 100000)
		frames := appendFrame(appendFrame(appendFrame(nil, frameBegun, ""), frameData, text), frameEnd, "")
		if _, err := w.Write(frames); err != nil {
			t.Error(err)
		}
		if err := <-result; err != nil || to.String() != text || strings.Join(steps, " ") != "started begun" {
			t.Errorf("%v, %d bytes, %q", err, to.Len(), steps)
		}
		if _, err := w.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the worker's end: %v", err)
		}
		w.Close()
	}
	if err := <-s.takes(t, Profile{Kind: "heap", Worker: 9}, io.Discard, nil); err == nil || err.Error() != "there is no worker 9" {
		t.Errorf("%v", err)
	}
}

// A worker that ends, and one that says why it cannot.
func TestProfileThatIsCut(t *testing.T) {
	t.Parallel()
	s, asked := newProfileServer(t)
	begun := appendFrame(nil, frameBegun, "")
	for want, sent := range map[string][]byte{
		"process 17 has ended, or has no descriptor left": nil,
		"process 17 has ended: the file is not complete":  appendFrame(begun, frameData, "x"),
		"inspector is not available":                      appendFrame(begun, frameError, "inspector is not available"),
		"what the worker sends is not what was asked for": []byte("{}{}{}"),
	} {
		result := s.takes(t, Profile{Kind: "heap"}, io.Discard, func(Event) {})
		w := <-asked
		if _, err := w.Write(sent); err != nil {
			t.Error(err)
		}
		w.Close()
		if err := <-result; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// A client that goes ends its profile: the worker sees the end, and another one can begin.
func TestProfileClientThatGoes(t *testing.T) {
	t.Parallel()
	s, asked := newProfileServer(t)
	conn := s.open(t, "")
	own, theirs, err := profilePair()
	if err != nil {
		t.Fatal(err)
	}
	line := request{Version: ProtocolVersion, Op: opProfile, Kind: "heap"}.appendJSON(nil)
	if _, _, err := conn.WriteMsgUnix(line, unix.UnixRights(theirs, theirs, theirs), nil); err != nil {
		t.Fatal(err)
	}
	unix.Close(theirs)
	w := <-asked
	conn.Close()
	own.Close()
	if _, err := w.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the worker's end: %v", err)
	}
	w.Close()
	waitUntil(t, "the next one", func() bool {
		result := s.takes(t, Profile{Kind: "heap"}, io.Discard, func(Event) {})
		select {
		case w := <-asked:
			w.Close()
			<-result
			return true
		case <-result: // refused
			return false
		}
	})
}

// Without a socket, or with something else, it is refused, and nothing stays open.
func TestProfileWithoutSocket(t *testing.T) {
	t.Parallel()
	s, _ := newProfileServer(t)
	const line = `{"version":1,"op":"profile","kind":"heap"}` + "\n"
	if got := s.ask(t, line); !strings.Contains(got, "a socket has to come with the request") {
		t.Error(got)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	conn := s.open(t, "")
	if _, _, err := conn.WriteMsgUnix([]byte(line), unix.UnixRights(int(w.Fd())), nil); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if got := rest(t, net.Conn(conn)); !strings.Contains(got, "no Unix stream socket") {
		t.Error(got)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the pipe is open: %d, %v", n, err)
	}
}
