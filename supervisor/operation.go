package supervisor

// An Event is a step of an operation: what a worker does that is started, replaced
// or removed by it.
type Event struct {
	Slot, PID int
	// Step is the state that the worker is in from now on, as in [WorkerStatus], or
	// ended.
	Step string
	Text string // how it has ended
}

// An Operation is a reload or a change of the number of workers that was requested.
// It goes on to its end whether or not anybody reads its events.
type Operation struct {
	events        chan Event
	text, failure string // set before events is closed, and not after it
}

const (
	// eventBuffer is how many steps an operation keeps for a reader that is slow:
	// those of a reload of about ten workers.
	eventBuffer = 64
	// maxOperations is how many operations wait for the same end. One stays until
	// then also if what has asked for it is gone.
	maxOperations = 32
)

func newOperation() *Operation { return &Operation{events: make(chan Event, eventBuffer)} }

// Events brings the steps, and is closed at the end. A reader that is slow misses
// some.
func (o *Operation) Events() <-chan Event { return o.events }

// Failure returns, once Events is closed, why the operation failed or was refused;
// "": it did not.
func (o *Operation) Failure() string { return o.failure }

// Text returns, once Events is closed, what was done; "" if the operation failed.
func (o *Operation) Text() string { return o.text }

// report adds a step, unless the buffer is full: Run's goroutine does not wait.
func (o *Operation) report(e Event) {
	select {
	case o.events <- e:
	default:
	}
}

// end ends it. Of the two texts one is "".
func (o *Operation) end(done, failure string) {
	o.text, o.failure = done, failure
	close(o.events)
}

// Operations are those that have the same end.
type operations []*Operation

// add adds some, those that are too many with an end of their own.
func (l *operations) add(more ...*Operation) {
	for _, o := range more {
		if len(*l) >= maxOperations {
			o.end("", "too many requests at once")
			continue
		}
		*l = append(*l, o)
	}
}

func (l operations) report(e Event) {
	for _, o := range l {
		o.report(e)
	}
}

// done ends all, and empties the list.
func (l *operations) done(text string) { l.end(text, "") }

// fail ends all, and empties the list.
func (l *operations) fail(why string) { l.end("", why) }

func (l *operations) end(done, failure string) {
	for _, o := range *l {
		o.end(done, failure)
	}
	*l = nil
}
