package supervisor

// An Event is a step of an operation.
type Event struct {
	Slot, PID int
	Step      string // starting, ready, or what becomes of the worker before it
	Text      string // more about it, for people
}

// An Operation is a reload or a change of the number of workers that was requested.
type Operation struct {
	events chan Event
	result chan string
}

// Events brings the steps, and is closed at the end. A reader that is slow misses
// some.
func (o *Operation) Events() <-chan Event { return o.events }

// Failure returns, once Events is closed, why the operation failed or was refused;
// "": it did not.
func (o *Operation) Failure() string { return <-o.result }
