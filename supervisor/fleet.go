package supervisor

import (
	"slices"
	"time"
)

// A fleet is all slots, with their workers.
type fleet struct {
	slots  []*slot
	starts int // workers that were started
	exits  int // workers that have ended
}

// add adds an empty slot.
func (f *fleet) add() *slot {
	added := &slot{number: len(f.slots)}
	f.slots = append(f.slots, added)
	return added
}

func (f *fleet) last() *slot { return f.slots[len(f.slots)-1] }

func (f *fleet) removeLast() { f.slots = f.slots[:len(f.slots)-1] }

// workers returns those that run or have not been seen to end.
func (f *fleet) workers() []*worker {
	var all []*worker
	for _, slot := range f.slots {
		all = append(all, slot.workers()...)
	}
	return all
}

// find returns the worker whose reports have that ID; nil: there is none.
func (f *fleet) find(id int64) *worker {
	for _, slot := range f.slots {
		for _, w := range slot.places() {
			if w != nil && w.ID == id && id != 0 {
				return w
			}
		}
	}
	return nil
}

// done reports whether no worker is left, nor to come.
func (f *fleet) done() bool { return f.left(nil) == 0 }

// left returns in how many slots but one there is a worker, or is to be one.
func (f *fleet) left(but *slot) (n int) {
	for _, slot := range f.slots {
		if slot != but && !slot.done() {
			n++
		}
	}
	return n
}

// othersServe reports whether any worker but w serves.
func (f *fleet) othersServe(w *worker) bool {
	return slices.ContainsFunc(f.workers(), func(other *worker) bool { return other != w && other.serves() })
}

// cancelRetries has no slot refilled.
func (f *fleet) cancelRetries() {
	for _, slot := range f.slots {
		slot.retryAt = time.Time{}
	}
}

// result returns the end of the worker that counts for the container: of the last
// ones of each slot, the first whose status is not 0; else the last one.
func (f *fleet) result() *Exit {
	bySeq := slices.SortedFunc(slices.Values(f.slots), func(a, b *slot) int { return a.exitSeq - b.exitSeq })
	for _, slot := range bySeq {
		if slot.last.Code() != 0 {
			return &slot.last
		}
	}
	return &bySeq[len(bySeq)-1].last
}
