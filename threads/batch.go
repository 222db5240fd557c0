package threads

import "golang.org/x/sys/unix"

// A policy is how threads are scheduled. A nil policy is one that is to stay.
type policy struct{ *unix.SchedAttr }

// ownPolicy returns that of the calling thread, if it is the normal one.
func ownPolicy() policy {
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil || attr.Policy != unix.SCHED_NORMAL {
		return policy{}
	}
	return policy{attr}
}

// batch has the calling thread, and those that it makes, not interrupt another
// one when it is woken, only take its turn (sched(7), SCHED_BATCH). Where that
// is not allowed nothing changes. There are two reasons.
//
// A thread of Go's runtime that hands its work to another one first wakes that
// and then counts as idle. Interrupted by the other it does not, and the runtime
// makes a new one as soon as that hands on its work in turn: with all CPUs busy,
// up to six while the signals are caught.
//
// The primary finds more to do each time and is woken less often, which costs a
// third less of CPU while the workers have the CPUs.
func (p policy) batch() {
	if p.SchedAttr == nil {
		return
	}
	attr := *p.SchedAttr
	attr.Policy = unix.SCHED_BATCH
	_ = unix.SchedSetAttr(0, &attr, 0)
}

// AsStarted has the calling thread scheduled as it was at first, which is what a
// child that it forks inherits; undo puts back what was. Call it from a goroutine
// that is locked to its thread.
func (s *Set) AsStarted() (undo func()) {
	if s == nil || s.policy.SchedAttr == nil {
		return func() {}
	}
	_ = unix.SchedSetAttr(0, s.policy.SchedAttr, 0)
	return s.policy.batch
}
