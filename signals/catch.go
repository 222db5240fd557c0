package signals

import (
	"os"
	"os/signal"
	"reflect"

	"golang.org/x/sys/unix"
)

// Catch takes over every signal that nodeinit can have and returns the channel
// on which they come, for the life of the process. It belongs at the very start
// of main: what arrives between the start of Go's runtime and this call ends
// the process with status 2 or, a real-time signal, is lost.
//
// Each signal has room of its own, one deep, which is what a pending bit is to
// the kernel: in a storm of one signal no other is lost. Several of one kind
// may become one, real-time signals included, and their order is not kept.
//
// SIGHUP and SIGINT stay ignored where they were at the start, so that nohup
// works. SIGPIPE, SIGTTIN and SIGTTOU are made harmless to nodeinit itself.
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
	// For the reaper: to be told of one more later costs Go's runtime no thread.
	signal.Notify(make(chan os.Signal, 1), unix.SIGCHLD)
	// Taken and thrown away: the write itself still fails with EPIPE.
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

// Ignored reports whether sig was ignored when this process was started, as by
// nohup, and stays so: Catch does not take it.
func Ignored(sig unix.Signal) bool { return Catchable(sig) && signal.Ignored(sig) }

// ignoreTerminalStops ignores SIGTTIN and SIGTTOU. They must not be caught: a
// background process whose write to the terminal is interrupted by a handler
// for SIGTTOU restarts that write for ever.
func ignoreTerminalStops() { signal.Ignore(unix.SIGTTIN, unix.SIGTTOU) }
