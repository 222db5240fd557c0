package admin

import (
	"slices"
	"time"

	"github.com/nodeinit/nodeinit/supervisor"
)

// Sockets are whose those were that were looked at last. To find that out takes a system
// call for each descriptor of each process, and so metrics do not do it each time.
type sockets struct {
	at   time.Time
	pids []int        // of the workers at that time
	list []diagSocket // with owners
}

const (
	// maxOwnersAge is how long it is believed: a worker may have closed a socket that another
	// process still has.
	maxOwnersAge = 10 * time.Second
	// minOwnersAge is how long it is believed at least where the workers are the same: on a
	// host's network others may open sockets all the time.
	minOwnersAge = time.Second
)

// listeningLately is listening, where a socket that was opened in the last second may be
// missing. Where the kernel does not tell, there is none.
func (g *Gatherer) listeningLately(workers []supervisor.WorkerStatus, now time.Time) []Listen {
	all, ok := diagSockets()
	if !ok {
		return nil
	}
	pids := make([]int, len(workers))
	for i := range workers {
		pids[i] = programOf(&workers[i])
	}
	known := &g.sockets
	age := now.Sub(known.at)
	if complete := known.mark(all); age >= maxOwnersAge || age >= minOwnersAge && !complete || !slices.Equal(pids, known.pids) {
		for i := range all {
			all[i].owner = 0
		}
		claimAll(all, workers)
		*known = sockets{now, pids, all}
	}
	return g.listOf(all)
}

// mark sets the owners that are known, and reports whether all are. The kernel mostly keeps
// the order, so that the next one is the next one there too.
func (k *sockets) mark(all []diagSocket) bool {
	complete, next := true, 0
	for i := range all {
		if next >= len(k.list) || k.list[next].inode != all[i].inode {
			next = slices.IndexFunc(k.list, func(s diagSocket) bool { return s.inode == all[i].inode })
		}
		if next < 0 {
			complete, next = false, len(k.list)
			continue
		}
		all[i].owner = k.list[next].owner
		next++
	}
	return complete
}
