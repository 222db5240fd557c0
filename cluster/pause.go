package cluster

import "slices"

// Pause, with true, gives the worker no new connections as long as another one can get
// them, and with false as many as the others. Those that it has stay. With Shared, and
// of UDP sockets, it does nothing: the workers take what comes to one socket, and what
// comes to a UDP socket may be about something that the worker has begun.
func (w *Worker) Pause(paused bool) {
	w.primary.inbox.post(func() {
		w.paused = paused
		for _, s := range w.servers {
			updatePaused(s)
		}
		w.primary.dispatchPending = true // connections may have waited for it
	})
}

// passedOver reports whether w is to be passed over for the next connection of s.
func passedOver(s *server, w *Worker, except []*Worker) bool {
	return w.paused && slices.ContainsFunc(s.workers, func(other *Worker) bool {
		return !other.paused && !other.outOfRotation && !other.channel.closed() && !slices.Contains(except, other)
	})
}

// updatePaused has the kernel give no connections to the sockets of slots in which a
// worker is paused, also if another one has come there: as long as the former is not out
// of rotation, it accepts from that socket too.
func updatePaused(s *server) {
	if !s.balance.perSlot() || s.query.family != tcp {
		return
	}
	s.group.pause(func(slot int) bool {
		return slices.ContainsFunc(s.workers, func(w *Worker) bool { return w.Slot == slot && w.paused && !w.outOfRotation })
	})
}
