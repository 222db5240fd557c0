package supervisor_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/signals"
	"github.com/nodeinit/nodeinit/supervisor"
)

// A world is a supervisor, in the virtual time of a synctest bubble, between
// those who send it signals, a program, and what that leaves behind. It writes
// down what happens.
type world struct {
	supervisor.Supervisor
	log     bytes.Buffer
	program program
	rest    rest
	start   time.Time
	signals chan unix.Signal

	mu     sync.Mutex // guards what is below, and program and rest once they run
	sent   []event
	events []event
	empty  []chan struct{}
}

// An event is a signal sent to nodeinit, "program" or "rest".
type event struct {
	at    time.Duration // since the start
	to    string
	sig   unix.Signal
	group bool
}

func (e event) String() string {
	s := fmt.Sprintf("%v %s %s", e.at, e.to, strings.TrimPrefix(signals.Name(e.sig), "SIG"))
	if e.group {
		s += " group"
	}
	return s
}

// A reaction says how long after which signal something ends.
type reaction map[unix.Signal]time.Duration

// reactionOf reads "TERM+1s KILL+0s".
func reactionOf(t *testing.T, text string) reaction {
	t.Helper()
	r := make(reaction)
	for word := range strings.FieldsSeq(text) {
		name, delay, _ := strings.Cut(word, "+")
		sig, err := signals.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		if r[sig], err = time.ParseDuration(delay); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// A program is a fake Process.
type program struct {
	world    *world
	reaction reaction
	denied   error // what Signal returns, if not nil
	exited   chan struct{}
	ended    bool
	endedAt  time.Duration
	status   unix.WaitStatus
	observed bool // Status was asked: the supervisor knows that it has ended
	late     bool // and was signalled nevertheless
}

const maxRSS = 1 << 26

func (p *program) Exited() <-chan struct{} { return p.exited }
func (p *program) MaxRSS() int64           { return maxRSS }

func (p *program) Status() unix.WaitStatus {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	p.observed = true
	return p.status
}

func (p *program) Signal(sig unix.Signal, group bool) error {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	p.late = p.late || p.observed
	w.events = append(w.events, event{time.Since(w.start), "program", sig, group})
	if p.denied != nil {
		return p.denied
	}
	if p.ended {
		return os.ErrProcessDone
	}
	if delay, ok := p.reaction[sig]; ok {
		time.AfterFunc(delay, func() { p.end(killedBy(sig)) })
	}
	return nil
}

func (p *program) end(status unix.WaitStatus) {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.ended {
		return
	}
	p.ended, p.endedAt, p.status = true, time.Since(w.start), status
	close(p.exited)
	w.announceEmpty()
}

func exitedWith(code int) unix.WaitStatus      { return unix.WaitStatus(code << 8) }
func killedBy(sig unix.Signal) unix.WaitStatus { return unix.WaitStatus(sig) }

// A rest is a fake Rest.
type rest struct {
	world    *world
	reaction reaction
	denied   error // what SignalRest returns, if not nil
	gone     bool
}

func (r *rest) SignalRest(sig unix.Signal) error {
	w := r.world
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, event{time.Since(w.start), "rest", sig, false})
	if r.denied != nil {
		return r.denied
	}
	if delay, ok := r.reaction[sig]; ok {
		time.AfterFunc(delay, r.end)
	}
	return nil
}

func (r *rest) Empty() <-chan struct{} {
	w := r.world
	w.mu.Lock()
	defer w.mu.Unlock()
	done := make(chan struct{})
	w.empty = append(w.empty, done)
	w.announceEmpty()
	return done
}

func (r *rest) end() {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.gone = true
	r.world.announceEmpty()
}

// isEmpty, as for the reaper: the program is one of those who remain.
func (w *world) isEmpty() bool { return w.program.ended && w.rest.gone }

func (w *world) announceEmpty() {
	if w.isEmpty() {
		for _, done := range w.empty {
			close(done)
		}
		w.empty = nil
	}
}

// newWorld makes a world in which nothing remains and nobody ends. Call it in a
// bubble.
func newWorld() *world {
	w := &world{start: time.Now(), signals: make(chan unix.Signal, 100)}
	w.program = program{world: w, reaction: reaction{}, exited: make(chan struct{})}
	w.rest = rest{world: w, reaction: reaction{}, gone: true}
	w.Supervisor = supervisor.Supervisor{
		Log:     logs.New(&w.log, logs.JSON, zerolog.TraceLevel),
		Signals: w.signals,
		Rest:    &w.rest,
	}
	return w
}

// at does something so long after the start.
func (w *world) at(when time.Duration, do func()) { time.AfterFunc(time.Until(w.start.Add(when)), do) }

// send sends a signal to nodeinit. Those of one moment come in the order of w.sent.
func (w *world) send(sig unix.Signal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, event{time.Since(w.start), "nodeinit", sig, false})
	w.signals <- sig
}

// run runs the supervisor and returns how the program ended and when Run did.
func (w *world) run() (end supervisor.Exit, took time.Duration) {
	end = w.Run(&w.program)
	took = time.Since(w.start)
	w.mu.Lock() // for those who look at the events next, and no more may come
	defer w.mu.Unlock()
	return end, took
}
