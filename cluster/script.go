package cluster

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"
)

// Why a worker gets no script. What tells of it says which worker.
var (
	errNoAgent = errors.New("it has no agent (--no-agent, or not Node), or not yet (still starting, or a wrapper below which nothing has listened)")
	errBusy    = errors.New("the primary is too busy")
)

const (
	// scriptTimeout is how long RunScript waits for Run's goroutine, which does nothing
	// that takes long.
	scriptTimeout = 3 * time.Second
	// scriptHandle is the number of a script's descriptor; see acks.trackHandle.
	scriptHandle = ownHandle + 1
	// maxSilence is for how long the agent may have said that its event loop stands
	// still: a heap snapshot of some gigabytes takes minutes.
	maxSilence = 10 * time.Minute
)

// RunScript has the agent of the worker with an ID run a script, with an order and with
// the socket fd, which stays open here. Source and order are JSON; source is a string.
// The worker must read its channel, and have taken the descriptor of the last script:
// nothing waits for it here. If it has no room for the descriptor, it closes it. Any
// goroutine may call it.
func (p *Primary) RunScript(id int64, source, order string, fd int) error {
	frame := make([]byte, 0, len(source)+len(order)+128)
	frame = append(frame, `{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_NODEINIT","act":"run","order":`...)
	frame = append(frame, order...)
	frame = append(frame, `,"source":`...)
	frame = append(append(frame, source...), "}}\n"...)
	var taken atomic.Bool // by one of the two goroutines: fd is the caller's when this has returned
	result := make(chan error, 1)
	posted := p.inbox.post(func() {
		if taken.CompareAndSwap(false, true) {
			result <- runScript(workerByID(p.workers, id), frame, fd)
		}
	})
	if !posted {
		return errEnded
	}
	timeout := time.NewTimer(scriptTimeout)
	defer timeout.Stop()
	select {
	case err := <-result:
		return err
	case <-timeout.C:
		if taken.CompareAndSwap(false, true) {
			return errBusy
		}
		return <-result
	}
}

func runScript(w *Worker, frame []byte, fd int) error {
	switch {
	case w == nil, w.channel.closed():
		return errGone
	case !w.state.Agent:
		return errNoAgent
	case slices.Contains(w.acks.handles, scriptHandle), !w.channel.idle(), !w.channel.sendNow(frame, fd):
		return errNotReading
	}
	w.acks.trackHandle(scriptHandle)
	w.mayBeSilent = true
	return nil
}

// setSilence records that the agent expects its event loop to stand still, which only
// counts if it may, or that this is over.
func (s *State) setSilence(expected, may bool) {
	now := time.Now()
	switch {
	case expected && may:
		s.SilentUntil = now.Add(maxSilence)
	case !expected && now.Before(s.SilentUntil):
		s.SilentUntil = now
	}
}
