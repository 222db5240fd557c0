package supervisor

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
)

// leftovers notes what is sent to them.
type leftovers struct {
	got  []unix.Signal
	none chan struct{}
}

func (l *leftovers) SignalAll(sig unix.Signal) error { l.got = append(l.got, sig); return nil }
func (l *leftovers) ContinueAll()                    { l.got = append(l.got, unix.SIGCONT) }
func (l *leftovers) NoChildren() <-chan struct{}     { return l.none }

var term = stopSignal{unix.SIGTERM, unix.SIGTERM}

// newShutdown returns one of a container with a worker.
func newShutdown(policy StopPolicy) (d *shutdown, w *worker, process *fakeProcess, log func(t *testing.T, want ...string)) {
	e, lines := testEnv()
	e.Stop, e.Leftovers = policy, &leftovers{none: make(chan struct{})}
	d = &shutdown{env: e, fleet: new(fleet), rollout: new(rollout)}
	w, process = addWorker(d.fleet, e)
	w.reported.Servers = 1
	return d, w, process, func(t *testing.T, want ...string) { t.Helper(); wantLog(t, lines, want...) }
}

func (d *shutdown) check(t *testing.T, state state, limit time.Duration, process *fakeProcess, got string) {
	t.Helper()
	if left := max(time.Until(d.deadline), 0); d.state != state || left != limit {
		t.Errorf("%v, %v left, want %v, %v", d.state, left, state, limit)
	}
	if all := fmt.Sprint(process.got); all != got {
		t.Errorf("the worker got %s, want %s", all, got)
	}
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, w, process, _ := newShutdown(StopPolicy{Delay: 3 * time.Second, Grace: 9 * time.Second})
		d.rollout.change = &change{slot: w.slot}
		d.onSignal(stopSignal{unix.SIGHUP, unix.SIGUSR1}, false)
		d.check(t, running, 0, process, "[SIGUSR1]")
		d.onSignal(term, true)
		d.check(t, drainDelay, 3*time.Second, process, "[SIGUSR1]")
		if d.rollout.change != nil || !d.requested {
			t.Errorf("change %+v, requested %v", d.rollout.change, d.requested)
		}
		d.timedOut()
		d.check(t, stopping, 9*time.Second, process, "[SIGUSR1 SIGTERM]")
		<-time.After(time.Second)
		d.onSignal(stopSignal{unix.SIGINT, unix.SIGINT}, true)
		d.check(t, stopping, 8*time.Second, process, "[SIGUSR1 SIGTERM SIGINT]")
		d.timedOut()
		d.check(t, killing, 0, process, "[SIGUSR1 SIGTERM SIGINT SIGKILL]")
		if w.killed != GraceExceeded || w.state != workerKilled {
			t.Errorf("killed %q, %v", w.killed, w.state)
		}
		d.onSignal(term, true)
		d.check(t, killing, 0, process, "[SIGUSR1 SIGTERM SIGINT SIGKILL]")
	})
}

func TestShutdownByThirdSignal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, w, process, _ := newShutdown(StopPolicy{})
		d.env.Wrapped = true
		d.onSignal(term, true)
		d.check(t, stopping, 0, process, "[SIGTERM]")
		d.onSignal(term, true)
		d.onSignal(term, true)
		d.check(t, killing, 0, process, "[SIGTERM SIGTERM group SIGTERM group SIGKILL group]")
		if w.killed != StopRepeated {
			t.Errorf("killed %q", w.killed)
		}
	})
}

func TestParentDeathIsOneRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, process, _ := newShutdown(StopPolicy{Delay: time.Second, Grace: time.Second})
		d.env.ParentDeathSignal = unix.SIGTERM
		for range 4 {
			d.onSignal(term, true)
		}
		d.check(t, drainDelay, time.Second, process, "[]")
	})
}

func TestAbort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, process, log := newShutdown(StopPolicy{Delay: time.Second}) // a grace of 0 is for ever
		crashed := d.fleet.add()
		crashed.retryAt = time.Now()
		d.abort(crashed, "crash")
		d.check(t, stopping, defaultGrace, process, "[SIGTERM]")
		if d.requested || !crashed.retryAt.IsZero() {
			t.Errorf("requested %v, slot %+v", d.requested, crashed)
		}
		log(t, `"msg":"stopping","reason":"crash","worker":1,"signal":"SIGTERM","grace_ms":9000`)

		d, w, process, _ := newShutdown(StopPolicy{})
		w.slot.current = nil
		d.abort(w.slot, "crash")
		d.check(t, running, 0, process, "[]") // the end is that of the workers
	})
}

func TestLeftovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, w, process, _ := newShutdown(StopPolicy{Grace: 5 * time.Second})
		left := d.env.Leftovers.(*leftovers)
		d.onSignal(term, true)
		<-time.After(4 * time.Second)
		w.slot.current = nil
		d.terminateLeftovers()
		d.check(t, finalTerm, time.Second, process, "[SIGTERM]")
		d.onSignal(stopSignal{unix.SIGHUP, unix.SIGHUP}, false) // not for them
		d.onSignal(stopSignal{unix.SIGINT, unix.SIGQUIT}, true)
		d.timedOut()
		d.check(t, finalKill, killTimeout, process, "[SIGTERM]")
		if got := fmt.Sprint(left.got); got != "[terminated continued quit killed]" {
			t.Errorf("they got %s", got)
		}
		d.timedOut()
		d.check(t, ended, 0, process, "[SIGTERM]")
	})
}

func TestLeftoversLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, _, _ := newShutdown(StopPolicy{})
		if got := d.finalTermLimit(); got != defaultGrace {
			t.Errorf("no stop, no grace: %v", got)
		}
		d.killAt = time.Now()
		if got := d.finalTermLimit(); got != minFinalTerm {
			t.Errorf("the grace is over: %v", got)
		}
		close(d.env.Leftovers.(*leftovers).none)
		if d.terminateLeftovers(); d.state != ended {
			t.Errorf("nothing is left: %v", d.state)
		}
	})
}

// An application that handles another stop signal than that which comes is warned
// of, once.
func TestUnhandledStopSignal(t *testing.T) {
	t.Parallel()
	const msg = `"the application does not handle the stop signal"`
	for _, c := range []struct {
		handles []string
		sig     stopSignal
		want    string // "": no warning
	}{
		{[]string{"SIGINT"}, term, `"level":"warn","logger":"nodeinit","msg":` + msg + `,"worker":0,"pid":100,"handles":["SIGINT"],"signal":"SIGTERM","try":"--stop-signal INT"}`},
		{[]string{"SIGUSR2", "SIGQUIT"}, stopSignal{unix.SIGINT + 1, unix.SIGTERM}, `"handles":["SIGQUIT"],"signal":"SIGTERM","try":"--stop-signal QUIT"}`},
		{[]string{"SIGTERM"}, stopSignal{unix.SIGTERM, unix.SIGQUIT}, `"handles":["SIGTERM"],"signal":"SIGQUIT","try":"--stop-signal TERM"}`},
		{[]string{"SIGINT", "SIGTERM"}, term, ""},
		{[]string{"SIGHUP", "SIGUSR2"}, term, ""},
		{nil, term, ""},
		{[]string{"SIGTERM"}, stopSignal{unix.SIGINT, unix.SIGINT}, ""}, // ^C
	} {
		e, log := testEnv()
		d := &shutdown{env: e, fleet: new(fleet), rollout: new(rollout)}
		for range 2 {
			w, _ := addWorker(d.fleet, e)
			w.reported = cluster.State{Agent: true, Handles: c.handles}
		}
		d.onSignal(c.sig, true)
		if c.want != "" {
			wantLog(t, log, `"msg":"stopping"`, c.want)
		}
		if n := strings.Count(log.String(), msg); n > 1 || n == 1 != (c.want != "") {
			t.Errorf("%v for %v: %d warnings\n%s", c.handles, c.sig.send, n, log)
		}
	}
}
