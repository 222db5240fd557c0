package signals

import (
	"os"
	"os/signal"
	"reflect"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

// A Catcher is what [Catch] has begun.
type Catcher struct {
	done   chan struct{} // closed when all signals are caught
	caught chan unix.Signal
}

// Catch begins to catch every [Catchable] signal until the process exits, and returns
// at once. Call it first in main: until a signal is caught it ends the process with
// status 2, and a real-time signal is lost. The requests to stop are the first.
//
// Go's runtime switches threads twice for each signal (runtime.sigenable). With two
// CPUs other goroutines run meanwhile.
//
// Each signal is buffered once, like the pending bit in the kernel: many of one kind
// do not displace another. Several of one kind may arrive as one, real-time signals
// too, and their order is not kept.
//
// SIGHUP and SIGINT stay ignored if they were at the start, as nohup expects. SIGPIPE,
// SIGTTIN and SIGTTOU do not affect this process.
func Catch() *Catcher {
	c := &Catcher{done: make(chan struct{}), caught: make(chan unix.Signal)}
	go c.run()
	runtime.Gosched() // with one CPU, run begins now and not when the caller waits
	return c
}

// Signals returns the channel on which signals arrive. It waits until all are caught.
func (c *Catcher) Signals() <-chan unix.Signal {
	<-c.done
	return c.caught
}

func (c *Catcher) run() {
	order := []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGQUIT}
	for sig := unix.Signal(1); sig <= rtMax; sig++ {
		if !slices.Contains(order, sig) {
			order = append(order, sig)
		}
	}
	var slots []reflect.SelectCase
	for _, sig := range order {
		if !Catchable(sig) || Ignored(sig) {
			continue
		}
		slot := make(chan os.Signal, 1)
		signal.Notify(slot, sig)
		slots = append(slots, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(slot)})
	}
	// For the reaper: a later Notify for the same signal needs no thread of the runtime.
	signal.Notify(make(chan os.Signal, 1), unix.SIGCHLD)
	// Not read: the write fails with EPIPE.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	ignoreTerminalStops()
	close(c.done)
	for {
		_, sig, _ := reflect.Select(slots)
		c.caught <- sig.Interface().(unix.Signal)
	}
}

// Ignored reports whether sig was ignored when this process was started, as by nohup.
// Catch does not catch it then.
func Ignored(sig unix.Signal) bool { return Catchable(sig) && signal.Ignored(sig) }

// ignoreTerminalStops ignores SIGTTIN and SIGTTOU. With a handler for SIGTTOU a
// background process would restart an interrupted write to the terminal for ever.
func ignoreTerminalStops() { signal.Ignore(unix.SIGTTIN, unix.SIGTTOU) }
