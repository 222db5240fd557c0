package reaper

import (
	"context"

	reap "github.com/hashicorp/go-reap"
)

// Pause reaps orphans until ctx ends, and calls onReap for each if that is not nil. It
// is for a process without children of its own, such as the first one of a pod that
// shares its PID namespace; do not run it at the same time as a [Reaper].
//
// It uses hashicorp/go-reap, the library that the design card names for reaping. This
// is its only use: it discards exit statuses, so a supervisor of children cannot use it.
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
// a report that is not read.
func drain(pids reap.PidCh, stopped <-chan struct{}) {
	for {
		select {
		case <-pids:
		case <-stopped:
			return
		}
	}
}
