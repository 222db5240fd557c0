package supervisor_test

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/supervisor"
)

// A program is a fake Process with a Channel.
type program struct {
	script
	world              *world
	name               string
	slot               int
	seq                int   // in its slot
	keepAlivesDisabled int   // so often it was asked to disable keep-alives
	connectionsStopped int   // and to get no new ones
	replaced           bool  // the last time because another one gets them
	paused             bool  // it gets no new ones for now
	sick               error // what it answers to a check
	checking           bool  // one is not over
	misChecked         bool  // it was checked when it was not to be
	exited             chan struct{}
	begun              time.Duration
	state              cluster.State
	history            []stateAt
	ended              bool
	endedAt            time.Duration
	status             unix.WaitStatus
	observed           bool // Status was asked: the supervisor knows that it has ended
	late               bool // and was signalled nevertheless
	released           int  // so often
	channelReleased    bool
	stopped            bool
	pending            []unix.Signal // what it gets when it runs again
	rss                int64
	terminal           bool
	stopping           bool // OnStop was called: its end is that of all it has started
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
		w.ID, w.Channel = int64(w.PID), p
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

// Message is one of those that it has no use for.
func (p *program) Message(string) {}

func (p *program) Drain(string) { p.leave("drain") }

// Finish has the program say after what its script says that it has finished.
func (p *program) Finish(limit time.Duration) {
	p.record(func() {
		p.keepAlivesDisabled++
		p.world.note(event{to: p.name, did: fmt.Sprintf("finish %v", limit)})
		if p.finishes != nil {
			time.AfterFunc(*p.finishes, func() { reportOf("finished")(p) })
		}
	})
}

// Watch has the program say after soon or late, as its script says, that it serves on.
func (p *program) Watch(_ string, soon, late time.Duration) {
	p.record(func() {
		p.world.note(event{to: p.name, did: fmt.Sprintf("watch %v %v", soon, late)})
		after := map[string]time.Duration{"soon": soon, "late": late}[p.servesOn]
		if after > 0 {
			time.AfterFunc(after, func() { reportOf("serving")(p) })
		}
	})
}

func (p *program) Disconnect() { p.leave("disconnect") }

func (p *program) DisableKeepAlives() { p.record(func() { p.keepAlivesDisabled++ }) }

func (p *program) StopConnections(replaced bool) {
	p.record(func() { p.connectionsStopped, p.replaced = p.connectionsStopped+1, replaced })
}

func (p *program) Pause(paused bool) {
	p.record(func() {
		p.paused = paused
		p.world.note(event{to: p.name, did: map[bool]string{true: "pause", false: "unpause"}[paused]})
	})
}

func (p *program) record(note func()) {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	p.late = p.late || p.observed || p.released > 0
	note()
}

// leave notes how the program is asked to, and has it do as its script says.
func (p *program) leave(how string) {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	p.late = p.late || p.observed || p.released > 0
	w.note(event{to: p.name, did: how})
	if p.leaves != nil {
		time.AfterFunc(*p.leaves, func() { reportOf("hangsup")(p) })
	}
	if p.drained != nil {
		time.AfterFunc(p.drained.after, func() { p.end(p.drained.status) })
	}
}

// Handovers is the same for each.
func (p *program) Handovers() int64 { return 7 }

// Release gives up the channel, once.
func (p *program) Release(bool) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	p.channelReleased = !p.channelReleased
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
