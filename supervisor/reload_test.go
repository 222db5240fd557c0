package supervisor

import (
	"errors"
	"testing"
	"time"
)

func TestReloadSkips(t *testing.T) {
	t.Parallel()
	o, _ := newRollout(5)
	slots := o.fleet.slots
	r := &reload{startsAtBegin: 4, todo: slots}
	slots[0].current = nil // it exited
	slots[1].current.state = workerHung
	slots[2].current.state = workerStarting
	// That of slot 4 was started after the reload began.
	for _, want := range []*slot{slots[2], slots[3], nil, nil} {
		if got := r.next(); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	o, log := newRollout(2)
	o.requestReload(true)
	for _, slot := range o.fleet.slots {
		o.next()
		first := slot.current
		if o.change == nil || o.change.slot != slot || slot.replacement == nil || o.reasonFor(slot) != ForReload {
			t.Fatalf("change %+v, slot %+v", o.change, slot)
		}
		if slot.number == 0 {
			o.requestReload(true)
			o.requestReload(true) // is the one before
		}
		getReady(o, slot)
		if slot.outgoing != first || !first.leaving || o.change.state != outgoingRetiring {
			t.Fatalf("change %+v, slot %+v", o.change, slot)
		}
		slot.outgoing = nil // it has exited
		o.succeeded()
	}
	o.next()
	if o.reload == nil || o.reload.again || o.change == nil || o.change.slot.number != 0 {
		t.Errorf("reload %+v, change %+v", o.reload, o.change)
	}
	log(t, `"msg":"reloading","workers":2`, `"msg":"another reload will follow"`, `"msg":"reload done","workers":2`, `"msg":"reloading"`)
	o.cancel()
	o.requestReload(false)
	o.env.PerCore = false
	o.requestReload(true)
	if o.reload != nil {
		t.Errorf("reload %+v", o.reload)
	}
	log(t, `"msg":"reload refused","why":"stopping"`, `"msg":"reload refused","why":"one process`)
}

func TestReloadFails(t *testing.T) {
	t.Parallel()
	o, log := newRollout(2)
	o.start = func(*slot, **worker) error { return errors.New("out of processes") }
	o.requestReload(true)
	if o.next(); o.reload != nil || o.change != nil || !o.pauseUntil.IsZero() {
		t.Errorf("reload %+v, change %+v, pause until %v", o.reload, o.change, o.pauseUntil)
	}
	log(t, `"msg":"worker not started","worker":0,"error":"out of processes"`, `"msg":"reload failed","worker":0,"reason":"not_started","workers":0`)
}

// A replacement that became current because the one before it ended has nothing to
// wait for.
func TestReplacementIsCurrentAlready(t *testing.T) {
	t.Parallel()
	o, _ := newRollout(1)
	slot := o.fleet.slots[0]
	o.startReplacement(slot, ForAge)
	slot.current, slot.replacement = slot.replacement, nil
	slot.current.state, slot.current.readyAt = workerReady, time.Now()
	if o.workerReady(slot.current); o.change != nil {
		t.Errorf("change %+v", o.change)
	}
	o.succeeded() // nothing
	o.failed("exit", "exit 1")
}
