package supervisor

import (
	"slices"
	"testing"
	"time"
)

func TestScaleFollowsWhatLasts(t *testing.T) {
	t.Parallel()
	c := scale{want: 2, target: 2}
	var followed []int
	for _, n := range []int{2, 2, 2, 2, 3, 4, 4, 3, 3, 3, 3, 2, 2, 2} {
		if c.observe(n) {
			followed = append(followed, n)
		}
	}
	if !slices.Equal(followed, []int{3, 2}) {
		t.Errorf("followed %v", followed)
	}
}

// newRollout returns a rollout of so many workers that are ready. What it starts is
// not ready.
func newRollout(workers int) (o *rollout, log func(t *testing.T, want ...string)) {
	e, lines := testEnv()
	f := new(fleet)
	for range workers {
		addWorker(f, e)
	}
	o = &rollout{env: e, fleet: f, scale: scale{want: workers, target: workers}}
	o.start = func(slot *slot, place **worker) error {
		f.starts++
		*place = &worker{Worker: &Worker{PID: 200 + slot.number, Process: new(fakeProcess)}, env: e, slot: slot, startSeq: f.starts}
		return nil
	}
	return o, func(t *testing.T, want ...string) { t.Helper(); wantLog(t, lines, want...) }
}

// getReady has the replacement of a slot get ready.
func getReady(o *rollout, slot *slot) {
	w := slot.replacement
	w.state, w.readyAt = workerReady, time.Now()
	o.workerReady(w)
}

func TestScaleUpAndDown(t *testing.T) {
	t.Parallel()
	o, log := newRollout(1)
	o.requestScale(scaleRequest{workers: 3}, true)
	for n := 2; n <= 3; n++ {
		o.next()
		if len(o.fleet.slots) != n || o.reason() != ForScale || !o.adds(o.fleet.last()) {
			t.Fatalf("%d slots, change %+v", len(o.fleet.slots), o.change)
		}
		getReady(o, o.fleet.last())
	}
	if o.next(); o.change != nil {
		t.Fatalf("change %+v", o.change)
	}
	o.requestScale(scaleRequest{workers: 2}, true)
	o.next()
	last := o.fleet.last()
	if last.number != 2 || last.outgoing == nil || !last.outgoing.leaving || last.current != nil {
		t.Fatalf("slot %+v", last)
	}
	last.outgoing = nil // it has exited
	o.succeeded()
	o.next()
	if len(o.fleet.slots) != 2 || o.change != nil {
		t.Errorf("%d slots, change %+v", len(o.fleet.slots), o.change)
	}
	log(t, `"msg":"scaling","from":1,"to":3,"why":"asked"`, `"msg":"scaled","workers":3`, `"msg":"scaling","from":3,"to":2`, `"msg":"scaled","workers":2`)
}

func TestScaleKeepsTheLastThatServes(t *testing.T) {
	t.Parallel()
	o, _ := newRollout(2)
	o.fleet.slots[0].current.state = workerStarting
	o.requestScale(scaleRequest{workers: 1}, true)
	if o.next(); o.change != nil {
		t.Errorf("change %+v", o.change)
	}
	o.fleet.slots[0].current.state = workerReady
	if o.next(); o.reason() != ForScale {
		t.Errorf("change %+v", o.change)
	}
}

func TestScaleByTarget(t *testing.T) {
	t.Parallel()
	o, log := newRollout(2)
	follow := func(n int) {
		for range steadyReads {
			o.followTarget(n)
		}
	}
	follow(0)
	if o.scale.want != 1 {
		t.Errorf("%d workers", o.scale.want)
	}
	o.requestScale(scaleRequest{workers: 4}, true)
	follow(3)
	if o.scale.want != 4 {
		t.Errorf("%d workers: Scale does not last", o.scale.want)
	}
	o.requestScale(scaleRequest{workers: 0}, true)
	if o.scale.want != 3 {
		t.Errorf("%d workers: the target is forgotten", o.scale.want)
	}
	o.requestScale(scaleRequest{workers: 9}, false)
	o.scale.stayAlone("it cannot be")
	o.requestScale(scaleRequest{workers: 9}, true)
	o.env.PerCore = false
	o.requestScale(scaleRequest{workers: 9}, true)
	if o.scale.want != 1 {
		t.Errorf("%d workers", o.scale.want)
	}
	log(t, `"scale refused","why":"stopping"`, `"scale refused","why":"it cannot be"`, `"scale refused","why":"one process`)
}

// A new slot whose worker does not come up is removed, and there is a pause.
func TestScaleFails(t *testing.T) {
	t.Parallel()
	o, log := newRollout(1)
	o.requestScale(scaleRequest{workers: 2}, true)
	o.next()
	o.fleet.last().replacement = nil
	o.failed("exit", "exit 1")
	if o.next(); len(o.fleet.slots) != 1 || o.change != nil || o.pauseUntil.IsZero() {
		t.Errorf("%d slots, change %+v, pause until %v", len(o.fleet.slots), o.change, o.pauseUntil)
	}
	log(t, `"msg":"scale failed","worker":1,"reason":"exit"`)
	o.requestScale(scaleRequest{workers: 2}, true)
	if o.next(); o.change == nil {
		t.Error("the pause holds up a request")
	}
}

func TestOneFirst(t *testing.T) {
	t.Parallel()
	o, log := newRollout(1)
	o.scale.waiting, o.scale.want = true, 3
	o.env.Listens = func(*Worker) bool { return true }
	o.warnOwnServer()
	o.warnOwnServer()
	o.requestReload(true)
	if o.next(); o.change != nil || o.reload != nil || !o.scale.warned {
		t.Errorf("change %+v, reload %+v", o.change, o.reload)
	}
	log(t, `"staying one process","why":"it listens on a socket of its own`, `"reload refused"`)
}
