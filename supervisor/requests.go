package supervisor

import (
	"sync"
	"time"
)

// Requests are what other goroutines want. However many there are, Run's
// goroutine finds one of each kind.
type requests struct {
	once   sync.Once
	wake   chan struct{} // has a value when there are some
	mu     sync.Mutex    // guards what is below
	reload bool
	scale  *int
}

// made gets a value when somebody wants something.
func (r *requests) made() <-chan struct{} {
	r.once.Do(func() { r.wake = make(chan struct{}, 1) })
	return r.wake
}

func (r *requests) make(note func()) {
	r.made()
	r.mu.Lock()
	note()
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default: // it has not looked since the last one
	}
}

// Reload replaces all workers one after the other, each when the new one is
// ready. During a reload it has another one follow.
func (s *Supervisor) Reload() { s.requests.make(func() { s.requests.reload = true }) }

// Scale has n workers from now on, or with 0 as many as Target says.
func (s *Supervisor) Scale(n int) { s.requests.make(func() { s.requests.scale = &n }) }

// answer does what was asked for.
func (s *Supervisor) answer() {
	r := &s.requests
	r.mu.Lock()
	reload, scale := r.reload, r.scale
	r.reload, r.scale = false, nil
	r.mu.Unlock()
	if scale != nil {
		s.askScale(*scale)
	}
	if reload {
		s.askReload()
	}
}

// A Status is how things stand.
type Status struct {
	State   string       // running, lingering, stopping, killing, sweeping, purging or ended
	Ready   int          // workers that serve; 0 once a stop has begun
	Want    int          // slots there are to be
	Change  ChangeReason // what is being done of our own accord; "": nothing
	Starts  int
	Crashes int
	Workers []WorkerStatus // by slot; in a slot the one who came first is first
}

// A WorkerStatus is how a worker is.
type WorkerStatus struct {
	Slot, PID int
	State     string // starting, ready, closed, finishing, draining, stopping, hung or killed
	Started   time.Time
}

// Status returns how things stood after the last event. It may be called by any
// goroutine and waits for nobody.
func (s *Supervisor) Status() Status {
	if latest := s.status.Load(); latest != nil {
		return *latest
	}
	return Status{}
}

// publish makes the state visible.
func (s *Supervisor) publish() {
	now := &Status{State: s.state.String(), Want: s.size.want, Starts: s.end.Starts, Crashes: s.end.Crashes}
	if s.change != nil {
		now.Change = s.change.why
	}
	for _, l := range s.lives() {
		now.Workers = append(now.Workers, WorkerStatus{l.slot.number, l.worker.PID, l.state.String(), l.started})
		if s.state == running && l.serves() {
			now.Ready++
		}
	}
	s.status.Store(now)
}
