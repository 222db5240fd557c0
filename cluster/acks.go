package cluster

import "time"

// ackDelay is for how long a worker's answers may lie there.
const ackDelay = time.Millisecond

// deferAcks stops waiting for the answers of w for a moment. There are two for each
// connection, and to be woken by them costs more than to pass it.
func (w *Worker) deferAcks() {
	if !w.acksDeferred {
		w.acksDeferred, w.handedOverBefore = true, w.handedOver
		w.updateInterest()
		w.primary.poller.tickIn(ackDelay)
	}
}

// checkDeferredAcks reads what w has written since it was hushed. It stays so as long as it
// gets connections.
func (w *Worker) checkDeferredAcks() {
	if !w.acksDeferred {
		return
	}
	w.receive()
	if w.handedOver == w.handedOverBefore {
		w.acksDeferred = false
		w.updateInterest()
		return
	}
	w.handedOverBefore = w.handedOver
	w.primary.poller.tickIn(ackDelay)
}

// readDeferredAcks reads what hushed workers have written and reports whether there
// was any.
func (p *Primary) readDeferredAcks() bool {
	some := false
	for w := range p.workers {
		some = w.readDeferredAcks() || some
	}
	return some
}

// readDeferredAcks reads what w has written while it was hushed, once in a round.
func (w *Worker) readDeferredAcks() bool {
	if !w.acksDeferred || w.round == w.primary.round {
		return false
	}
	w.round = w.primary.round
	return w.receive()
}

// stopDeferringAcks waits for the answers of all workers again.
func (p *Primary) stopDeferringAcks() {
	for w := range p.workers {
		if w.acksDeferred {
			w.acksDeferred = false
			w.updateInterest()
		}
	}
}
