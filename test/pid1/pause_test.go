package pid1

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// host becomes nodeinit pause, the first words of args, once it has started the
// rest: that and its orphans are then in the care of pause, as the processes of
// other containers are in a pod with one PID namespace.
func host(args []string) {
	i := slices.Index(args, "--")
	harness.Spawn(nil, args[i+1:]...)
	harness.Become(args[:i])
}

func TestPauseReapsUntilItIsStopped(t *testing.T) {
	t.Parallel()
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGINT} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			t.Parallel()
			argv := slices.Concat(testproc.Argv("host", harness.Nodeinit, "pause", "-v", "--"), testproc.Argv("ancestor", "5"))
			p := testproc.Command{PID1: true, Argv: argv}.Start(t)
			p.Expect("end of the line")
			harness.ExpectProcesses(t, p, 3) // pause, the ancestor, and its zombie
			p.Signal(unix.SIGHUP)
			p.Signal(unix.SIGUSR1)
			p.CloseStdin()
			harness.ExpectProcesses(t, p, 1)
			p.Signal(sig)
			p.WaitCode(0)
			lines := harness.ReadLog(t, p.Output())
			if lines[0].Msg != "pausing" || exitReport(t, p.Output()).Facts["status"] != 0.0 {
				t.Errorf("logged %q", harness.Messages(lines))
			}
			orphans := slices.DeleteFunc(harness.Messages(lines), func(msg string) bool { return msg != "orphan reaped" })
			if len(orphans) < 6 {
				t.Errorf("%d orphans logged, want the ancestor and five of its line, at least", len(orphans))
			}
		})
	}
}
