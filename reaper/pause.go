package reaper

import (
	"context"

	reap "github.com/hashicorp/go-reap"
)

// Pause reaps orphans until ctx ends and tells onReap, if set, of each. It is
// for a process that starts none of its own, such as the first one of a pod
// that shares its PID namespace; never run it beside a [Reaper].
func Pause(ctx context.Context, onReap func(pid int)) {
	pids, done := make(reap.PidCh), make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		reap.ReapChildren(pids, nil, done, nil)
	}()
	for {
		select {
		case pid := <-pids:
			if onReap != nil {
				onReap(pid)
			}
		case <-ctx.Done():
			close(done)
			drain(pids, stopped)
			return
		}
	}
}

// drain takes what go-reap still reports until it has stopped: it blocks on
// a report that nobody takes.
func drain(pids reap.PidCh, stopped <-chan struct{}) {
	for {
		select {
		case <-pids:
		case <-stopped:
			return
		}
	}
}
