package supervisor_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/signals"
	"github.com/nodeinit/nodeinit/supervisor"
)

// A world is a supervisor, in the virtual time of a synctest bubble, between
// what sends it signals, the workers, and what they leave behind. It writes
// down what happens.
type world struct {
	supervisor.Supervisor
	program program // the only worker, in fork mode
	left    leftovers
	start   time.Time
	signals chan unix.Signal

	// In per-core mode: what the worker of that name is like.
	script  func(name string) script
	reports reporter
	limit   int64 // of a worker's memory, 0: none

	mu         sync.Mutex // guards what is below, and programs and rest once they run
	started    []*program
	noteChecks bool            // results of checks are events
	failed     []time.Duration // when Start failed
	sent       []event
	events     []event
	log        bytes.Buffer
	lines      []line // of log, if in per-core mode
	empty      []chan struct{}
	stats      cgroup.Stats
	target     int           // what Target says, where it is w.limits
	stall      chan struct{} // Target waits for it, if not nil
}

// An event is a signal sent to nodeinit, "program", a worker or "rest", or
// something else that nodeinit did.
type event struct {
	at    time.Duration // since the start
	to    string
	sig   unix.Signal
	group bool
	did   string // instead of a signal
}

func (e event) String() string {
	what := e.did
	if what == "" {
		what = strings.TrimPrefix(signals.Name(e.sig), "SIG")
	}
	s := fmt.Sprintf("%v %s %s", e.at, e.to, what)
	if e.group {
		s += " group"
	}
	return s
}

// A line is one that was logged.
type line struct {
	at     time.Duration // since the start
	events int           // so many had happened
	text   string
}

// Write takes a line of the log.
func (w *world) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.script != nil {
		w.lines = append(w.lines, line{time.Since(w.start), len(w.events), string(text)})
	}
	return w.log.Write(text)
}

// A leftovers is a fake Rest.
type leftovers struct {
	world    *world
	reaction reaction
	denied   error // what SignalAll returns, if not nil
	gone     bool
}

func (r *leftovers) SignalAll(sig unix.Signal) error {
	w := r.world
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(event{to: "rest", sig: sig})
	if r.denied != nil {
		return r.denied
	}
	if e, ok := r.reaction[sig]; ok {
		time.AfterFunc(e.after, r.end)
	}
	return nil
}

// ContinueAll notes that it was called.
func (r *leftovers) ContinueAll() { _ = r.SignalAll(unix.SIGCONT) }

func (r *leftovers) NoChildren() <-chan struct{} {
	w := r.world
	w.mu.Lock()
	defer w.mu.Unlock()
	done := make(chan struct{})
	w.empty = append(w.empty, done)
	w.announceEmpty()
	return done
}

func (r *leftovers) end() {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.gone = true
	r.world.announceEmpty()
}

// isEmpty, as for the reaper: workers are among those that remain.
func (w *world) isEmpty() bool {
	for _, p := range w.started {
		if !p.ended {
			return false
		}
	}
	return w.left.gone
}

func (w *world) announceEmpty() {
	if w.isEmpty() {
		for _, done := range w.empty {
			close(done)
		}
		w.empty = nil
	}
}

func (w *world) note(e event) {
	e.at = time.Since(w.start)
	w.events = append(w.events, e)
}

// newWorld makes a world in fork mode, in which nothing remains and nothing ends.
// Call it in a bubble.
func newWorld() *world {
	w := &world{start: time.Now(), signals: make(chan unix.Signal, 100)}
	w.program = program{world: w, name: "program", script: script{reaction: reaction{}}, exited: make(chan struct{})}
	w.left = leftovers{world: w, reaction: reaction{}, gone: true}
	w.Supervisor = supervisor.Supervisor{
		Log:       logs.New(w, logs.JSON, logs.LevelTrace, nil),
		Signals:   w.signals,
		Leftovers: &w.left,
		Start: func(int, int) (*supervisor.Worker, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.started = append(w.started, &w.program)
			return w.program.worker(), nil
		},
	}
	return w
}

var errStart = errors.New("fork: out of processes")

// newFleet makes a world of so many workers in per-core mode.
func newFleet(workers int, script func(name string) script) *world {
	w := newWorld()
	w.script, w.reports = script, reporter{wake: make(chan struct{}, 1)}
	w.Workers, w.Reports, w.Start, w.PerCore = workers, &w.reports, w.startWorker, true
	w.Ready.When = supervisor.ReadyNone
	w.Before = cgroup.Stats{OOM: known(5), OOMKill: known(5)}
	w.stats = w.Before
	w.Stats = func() cgroup.Stats {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.stats
	}
	return w
}

func (w *world) startWorker(slot, _ int) (*supervisor.Worker, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &program{world: w, slot: slot, seq: 1, exited: make(chan struct{}), begun: time.Since(w.start)}
	for _, earlier := range w.started {
		if earlier.slot == slot {
			p.seq = earlier.seq + 1
		}
	}
	p.name = fmt.Sprint(slot)
	if p.seq > 1 {
		p.name += fmt.Sprintf(".%d", p.seq)
	}
	p.script = w.script(p.name)
	if p.fails > len(w.failed) {
		w.failed = append(w.failed, p.begun)
		w.note(event{to: p.name, did: "not started"})
		return nil, errStart
	}
	w.note(event{to: p.name, did: "starts"})
	w.started = append(w.started, p)
	for _, a := range p.acts {
		time.AfterFunc(a.after, func() { a.do(p) })
	}
	return p.worker(), nil
}

// at does something so long after the start.
func (w *world) at(when time.Duration, do func()) { time.AfterFunc(time.Until(w.start.Add(when)), do) }

// limits is a Target.
func (w *world) limits() int {
	w.mu.Lock()
	n, stall := w.target, w.stall
	w.mu.Unlock()
	if stall != nil {
		<-stall
	}
	return n
}

// stallFor has nodeinit not run from a moment on, after the next look at the
// limits, for so long.
func (w *world) stallFor(from, long time.Duration) {
	w.at(from, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		stall := make(chan struct{})
		w.stall = stall
		time.AfterFunc(long, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.stall = nil
			close(stall)
		})
	})
}

// askAt asks by a line such as "1s reload", "2s scale:3" or "3s target:1".
func (w *world) askAt(t *testing.T, line string) {
	t.Helper()
	when, what, _ := strings.Cut(line, " ")
	what, n, _ := strings.Cut(what, ":")
	do := func() { w.Reload() }
	switch what {
	case "reload":
	case "scale":
		count := number(t, n)
		do = func() { w.Scale(count, false) }
	case "target":
		count := number(t, n)
		do = func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.target = count
		}
	default:
		t.Fatalf("%q cannot be asked for", what)
	}
	w.at(duration(t, when), do)
}

// send sends a signal to nodeinit. Those of one moment come in the order of w.sent.
func (w *world) send(sig unix.Signal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, event{at: time.Since(w.start), to: "nodeinit", sig: sig})
	w.signals <- sig
}

// run runs the supervisor and returns how the program ended and when Run did.
func (w *world) run(t *testing.T) (end supervisor.Exit, took time.Duration, err error) {
	t.Helper()
	end, err = w.Run()
	took = time.Since(w.start)
	w.mu.Lock() // for what reads the events next, and no more may come
	defer w.mu.Unlock()
	for _, p := range w.started {
		if p.released != 1 || p.channelReleased != w.hasChannels() {
			t.Errorf("%s was released %d times, its channel %v", p.name, p.released, p.channelReleased)
		}
		if p.misChecked {
			t.Errorf("%s was checked twice at once, or was not ready", p.name)
		}
		if p.late {
			t.Errorf("%s was signalled or checked though it was known to have ended", p.name)
		}
	}
	return end, took, err
}
