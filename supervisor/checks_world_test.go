package supervisor_test

import (
	"errors"
	"slices"
	"time"

	"github.com/nodeinit/nodeinit/supervisor"
)

// Its checks of a worker, as it is by then.
var (
	errSick    = errors.New("status 500")
	errMute    = errors.New("no answer")
	errUnasked = supervisor.ErrNotAsked
)

// A checkup is what a program answers to checks, and what they were.
type checkup struct {
	sick       error // what it answers
	checking   bool  // one is not over
	misChecked bool  // it was checked when it was not to be
}

// checked has workers checked, each in so long, and replaced after so many failures.
func checked(interval time.Duration, failures int) func(*world) {
	return func(w *world) {
		auto(w)
		w.Health = supervisor.HealthPolicy{Check: w.check, Path: "/healthz", Interval: interval, Failures: failures}
	}
}

// check is a Check: a worker answers after a while, as it is by then.
func (w *world) check(s supervisor.WorkerStatus, report func(error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.started, func(p *program) bool { return p.PID() == s.PID })
	p := w.started[i]
	p.late = p.late || p.observed || p.released > 0
	if p.checking || s.State != "ready" {
		p.misChecked = true
	}
	p.checking = true
	after := min(p.answers, w.Health.Timeout())
	if p.sick == errMute || p.stopped {
		after = w.Health.Timeout()
	}
	time.AfterFunc(after, func() { p.answer(report) })
}

func (p *program) answer(report func(error)) {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	err := p.sick
	if p.ended || p.stopped {
		err = errMute
	}
	p.checking = false
	if w.noteChecks {
		w.note(event{to: p.name, did: map[bool]string{true: "passes", false: "fails"}[err == nil]})
	}
	report(err)
}

// becomes returns what changes what a program answers.
func becomes(sick error) func(*program) {
	return func(p *program) {
		p.world.mu.Lock()
		defer p.world.mu.Unlock()
		p.sick = sick
	}
}
