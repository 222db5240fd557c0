package apps

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/test/harness"
)

// Behind a wrapper that passes signals on, the program gets the stop signal once,
// and answers what it has in hand.
func TestCase02SignalTwice(t *testing.T) {
	onBoth(t, func(t *testing.T, workers int) {
		for name, wrapper := range map[string][]string{
			"dotenv":  {"dotenv", "--"},
			"env-cmd": {"env-cmd", "-f", "/dev/null", "--"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				argv := append(slices.Clone(wrapper), "node", "server.js")
				r := startCase(t, workers, caseCommand(t, asked(workers), "signal-twice", argv...))
				r.serves()
				v := r.connect()
				v.Request("/slow")
				r.untilWrites(1, "asked\n")
				r.Signal(unix.SIGTERM)
				v.ExpectBody("slow answer")
				r.WaitCode(0)
			})
		}
	})
}

// A connection on which nothing was ever sent holds up no stop: there is no last
// call, so that nothing else ends this one.
func TestCase19UnusedConnection(t *testing.T) {
	onBoth(t, func(t *testing.T, workers int) {
		flags := strings.Replace(asked(workers), harness.LongGrace, "--grace 0", 1)
		r := startCase(t, workers, caseCommand(t, flags, "unused-connection", "node", "server.js"))
		r.serves()
		unused := r.connect()
		for range workers { // it is accepted before these
			v := r.connect()
			v.Request("/", harness.CloseHeader)
			v.Expect("served", true)
		}
		r.ends(harness.Terminated)
		unused.ExpectEnd()
	})
}

// Of requests that were sent one after the other without waiting, all that the
// application has seen are answered: only the last answer ends the connection.
func TestCase20Pipelined(t *testing.T) {
	onBoth(t, func(t *testing.T, workers int) {
		r := startCase(t, workers, caseCommand(t, asked(workers), "pipelined", "node", "server.js"))
		r.serves()
		others := r.connectEach()
		v := r.connect()
		for _, path := range []string{"/1", "/2", "/3"} {
			v.Request(path)
			r.untilWrites(1, "asked "+path)
		}
		r.Signal(unix.SIGTERM)
		for _, other := range others {
			harness.WaitUntil(t, "each worker to have its orders", func() bool {
				other.Request("/")
				_, last := other.Response()
				return last
			})
		}
		r.Signal(unix.SIGUSR2)
		v.Expect("answer 1", false)
		v.Expect("answer 2", false)
		v.Expect("answer 3", true)
		r.WaitCode(harness.Terminated)
	})
}
