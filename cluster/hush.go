package cluster

import "time"

// hushTime is for how long a worker's answers may lie there.
const hushTime = time.Millisecond

// hush stops waiting for the answers of w for a moment. There are two for each
// connection, and to be woken by them costs more than to pass it.
func (w *Worker) hush() {
	if !w.quiet {
		w.quiet, w.givenThen = true, w.given
		w.waitFor()
		w.primary.poll.tickIn(hushTime)
	}
}

// lookAt reads what w has written since it was hushed. It stays so as long as it
// gets connections.
func (w *Worker) lookAt() {
	if !w.quiet {
		return
	}
	w.receive()
	if w.given == w.givenThen {
		w.quiet = false
		w.waitFor()
		return
	}
	w.givenThen = w.given
	w.primary.poll.tickIn(hushTime)
}

// readAnswers reads what hushed workers have written and reports whether there
// was any.
func (p *Primary) readAnswers() bool {
	some := false
	for w := range p.workers {
		some = w.readAnswers() || some
	}
	return some
}

// readAnswers reads what w has written while it was hushed, once in a round.
func (w *Worker) readAnswers() bool {
	if !w.quiet || w.round == w.primary.round {
		return false
	}
	w.round = w.primary.round
	return w.receive()
}

// awaitAnswers waits for the answers of all workers again.
func (p *Primary) awaitAnswers() {
	for w := range p.workers {
		if w.quiet {
			w.quiet = false
			w.waitFor()
		}
	}
}
