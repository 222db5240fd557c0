package threads

import "golang.org/x/sys/unix"

// A policy is a scheduling policy. A nil policy is one that must not be changed.
type policy struct{ *unix.SchedAttr }

// ownPolicy returns the policy of the calling thread, nil if it is not SCHED_NORMAL.
func ownPolicy() policy {
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil || attr.Policy != unix.SCHED_NORMAL {
		return policy{}
	}
	return policy{attr}
}

// batch sets SCHED_BATCH for the calling thread and those that it creates: when woken
// such a thread waits for its turn and does not preempt another (sched(7)). Where that
// is not allowed nothing changes. There are two reasons.
//
// A thread of Go's runtime that hands its work to another thread wakes that and then
// becomes idle. If the woken thread preempts it before it is idle, the runtime creates
// a new thread for the next hand-over: with all CPUs busy, up to six while signals are
// caught.
//
// The primary finds more work each time and is woken less often, which saves a third
// of its CPU time while workers use all CPUs.
func (p policy) batch() {
	if p.SchedAttr == nil {
		return
	}
	attr := *p.SchedAttr
	attr.Policy = unix.SCHED_BATCH
	_ = unix.SchedSetAttr(0, &attr, 0)
}

// AsStarted gives the calling thread the policy that the process was started with, for
// a child that it forks to inherit; undo restores the thread's. Call it from a
// goroutine that is locked to its thread.
func (s *Set) AsStarted() (undo func()) {
	if s == nil || s.policy.SchedAttr == nil {
		return func() {}
	}
	_ = unix.SchedSetAttr(0, s.policy.SchedAttr, 0)
	return s.policy.batch
}
