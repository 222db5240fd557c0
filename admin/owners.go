package admin

import (
	"slices"
	"time"

	"github.com/nodeinit/nodeinit/supervisor"
)

// Sockets are whose those were that were looked at last. To find that out takes a system
// call for each descriptor of each process, and so metrics do not do it each time.
type sockets struct {
	at     time.Time
	pids   []int          // of the workers at that time
	owners map[uint32]int // by inode, 0 for those of others
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
// missing.
func (g *Gatherer) listeningLately(workers []supervisor.WorkerStatus, now time.Time) []Listen {
	all, ok := diagSockets()
	if !ok {
		return nil // without queues there is nothing to show
	}
	var pids []int
	for i := range workers {
		if workers[i].PID != 0 {
			pids = append(pids, programOf(&workers[i]))
		}
	}
	known := &g.sockets
	age := now.Sub(known.at)
	if !known.mark(all) && age >= minOwnersAge || age >= maxOwnersAge || !slices.Equal(pids, known.pids) {
		for i := range all {
			all[i].owner = 0
		}
		claimAll(all, workers)
		known.at, known.pids, known.owners = now, pids, make(map[uint32]int, len(all))
		for i := range all {
			known.owners[all[i].inode] = all[i].owner
		}
	}
	return g.listOf(all)
}

// mark sets the owners that are known, and reports whether all are.
func (k *sockets) mark(all []diagSocket) bool {
	complete := true
	for i := range all {
		owner, ok := k.owners[all[i].inode]
		all[i].owner = owner
		complete = complete && ok
	}
	return complete
}
