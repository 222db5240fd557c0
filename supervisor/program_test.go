package supervisor_test

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/supervisor"
)

// A program is a fake Process; its channelEnd is the Channel.
type program struct {
	script
	world *world
	name  string
	slot  int
	seq   int // in its slot
	channelEnd
	checkup
	exited   chan struct{}
	begun    time.Duration
	state    cluster.State
	history  []stateAt
	ended    bool
	endedAt  time.Duration
	status   unix.WaitStatus
	observed bool // Status was asked: the supervisor knows that it has ended
	late     bool // and was signalled nevertheless
	released int  // so often
	stopped  bool
	pending  []unix.Signal // what it gets when it runs again
	rss      int64
	terminal bool
	stopping bool // OnStop was called: its end is that of all it has started
}

// A stateAt is what a worker had reported at a time.
type stateAt struct {
	at    time.Duration
	state cluster.State
}

const maxRSS = 1 << 26 // of the worker in slot 0, the largest

// worker returns it as Start does.
func (p *program) worker() *supervisor.Worker {
	w := &supervisor.Worker{
		PID: p.PID(), Process: p, OldSpace: 2 * maxRSS, HasTerminal: func() bool { return p.terminal }, RSS: p.residentSet,
		OnStop: func() { p.record(func() { p.stopping = true }) }, OnRelease: p.release,
	}
	if p.world.hasChannels() {
		p.channelEnd.program = p
		w.ID, w.Channel = int64(w.PID), &p.channelEnd
	}
	return w
}

// hasChannels reports whether workers have any.
func (w *world) hasChannels() bool { return w.Reports != nil }

func (p *program) PID() int                { return 100*(p.slot+1) + p.seq }
func (p *program) Exited() <-chan struct{} { return p.exited }
func (p *program) MaxRSS() int64           { return maxRSS - 4096*int64(p.slot) }

func (p *program) residentSet() (int64, error) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	if p.ended {
		return 0, os.ErrProcessDone
	}
	return p.rss, nil
}

func (p *program) weigh(rss int64) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	p.rss = rss
}

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
	p.late = p.late || p.observed || p.released > 0
	w.note(event{to: p.name, sig: sig, group: group})
	if p.denied != nil {
		return p.denied
	}
	if p.ended {
		return os.ErrProcessDone
	}
	if sig == unix.SIGCONT {
		p.runs()
	}
	if p.stopped && sig != unix.SIGKILL {
		p.pending = append(p.pending, sig)
		return nil
	}
	p.gets(sig)
	return nil
}

func (p *program) gets(sig unix.Signal) {
	if e, ok := p.reaction[sig]; ok {
		time.AfterFunc(e.after, func() { p.end(e.status) })
	}
}

// runs has it go on, if it was stopped.
func (p *program) runs() {
	pending := p.pending
	p.stopped, p.pending = false, nil
	for _, sig := range pending {
		p.gets(sig)
	}
}

func (p *program) Stopped(bool) (bool, error) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	return p.stopped, p.unseen
}

func (p *program) record(note func()) {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	p.late = p.late || p.observed || p.released > 0
	note()
}

func (p *program) release(kept bool) {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	p.released++
	switch {
	case w.script == nil:
	case kept:
		w.note(event{to: p.name, did: "released kept"})
	default:
		w.note(event{to: p.name, did: "released"})
	}
}

// report changes what the program has reported, while it runs.
func (p *program) report(change func(*cluster.State)) {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.ended {
		return
	}
	change(&p.state)
	p.history = append(p.history, stateAt{time.Since(w.start), p.state})
	w.reports.add(cluster.Report{ID: int64(p.PID()), State: p.state})
}

func (p *program) end(status unix.WaitStatus) {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.ended {
		return
	}
	p.ended, p.endedAt, p.status = true, time.Since(w.start), status
	if w.script != nil { // the kernel closes its channel
		p.state.Ended = true
		w.reports.add(cluster.Report{ID: int64(p.PID()), State: p.state})
	}
	close(p.exited)
	w.announceEmpty()
}

func exitedWith(code int) unix.WaitStatus      { return unix.WaitStatus(code << 8) }
func killedBy(sig unix.Signal) unix.WaitStatus { return unix.WaitStatus(sig) }

// reporter is a Reporter.
type reporter struct {
	wake chan struct{}
	mu   sync.Mutex
	list []cluster.Report
}

func (r *reporter) add(report cluster.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, report)
	select {
	case r.wake <- struct{}{}:
	default: // there is more than one
	}
}

func (r *reporter) Reported() <-chan struct{} { return r.wake }

func (r *reporter) Reports() []cluster.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}
