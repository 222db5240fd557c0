package signals

import (
	"os"
	"os/signal"
	"reflect"

	"golang.org/x/sys/unix"
)

// Catch catches every [Catchable] signal until the process exits, and returns the
// channel on which they arrive. Call it first in main: before it a signal ends the
// process with status 2, and a real-time signal is lost.
//
// Each signal is buffered once, like the pending bit in the kernel: many of one kind
// do not displace another. Several of one kind may arrive as one, real-time signals
// too, and their order is not kept.
//
// SIGHUP and SIGINT stay ignored if they were at the start, as nohup expects. SIGPIPE,
// SIGTTIN and SIGTTOU do not affect this process after Catch.
func Catch() <-chan unix.Signal {
	var slots []reflect.SelectCase
	for sig := unix.Signal(1); sig <= rtMax; sig++ {
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

	caught := make(chan unix.Signal)
	go func() {
		for {
			_, sig, _ := reflect.Select(slots)
			caught <- sig.Interface().(unix.Signal)
		}
	}()
	return caught
}

// Ignored reports whether sig was ignored when this process was started, as by nohup.
// Catch does not catch it then.
func Ignored(sig unix.Signal) bool { return Catchable(sig) && signal.Ignored(sig) }

// ignoreTerminalStops ignores SIGTTIN and SIGTTOU. With a handler for SIGTTOU a
// background process would restart an interrupted write to the terminal for ever.
func ignoreTerminalStops() { signal.Ignore(unix.SIGTTIN, unix.SIGTTOU) }
