package signals

import (
	"os"
	"os/signal"
	"reflect"

	"golang.org/x/sys/unix"
)

// Caught are the signals that Catch catches.
type Caught struct {
	// C gives the signals, for the life of the process.
	C <-chan unix.Signal

	complete chan struct{}
}

// Wait waits until all signals are caught, those that Catch left for later too.
func (c *Caught) Wait() { <-c.complete }

// Catch takes over every signal that nodeinit can have. It belongs at the very
// start of main: what arrives between the start of Go's runtime and this call
// ends the process with status 2. The real-time signals, which end nothing
// then, follow in the background: each costs two switches between threads in
// Go's runtime, and all of them a third of the time to start a program.
//
// Each signal has room of its own, one deep, which is what a pending bit is to
// the kernel: in a storm of one signal no other is lost. Several of one kind
// may become one, real-time signals included, and their order is not kept.
//
// SIGHUP and SIGINT stay ignored where they were at the start, so that nohup
// works. SIGPIPE, SIGTTIN and SIGTTOU are made harmless to nodeinit itself.
func Catch() *Caught {
	slots := catch(1, rtMin)
	// Taken and thrown away: the write itself still fails with EPIPE.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	ignoreTerminalStops()

	caught := make(chan unix.Signal)
	c := &Caught{C: caught, complete: make(chan struct{})}
	go func() {
		slots = append(slots, catch(rtMin, rtMax+1)...)
		close(c.complete)
		for {
			_, sig, _ := reflect.Select(slots)
			caught <- sig.Interface().(unix.Signal)
		}
	}()
	return c
}

// catch makes a slot for each signal from first to below end.
func catch(first, end unix.Signal) (slots []reflect.SelectCase) {
	for sig := first; sig < end; sig++ {
		if !Catchable(sig) || signal.Ignored(sig) {
			continue
		}
		slot := make(chan os.Signal, 1)
		signal.Notify(slot, sig)
		slots = append(slots, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(slot)})
	}
	return slots
}

// ignoreTerminalStops ignores SIGTTIN and SIGTTOU. They must not be caught: a
// background process whose write to the terminal is interrupted by a handler
// for SIGTTOU restarts that write for ever.
func ignoreTerminalStops() { signal.Ignore(unix.SIGTTIN, unix.SIGTTOU) }
