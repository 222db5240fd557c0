package supervisor

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cgroup"
)

// Each kill that the kernel counts explains one end, for a limit of the container
// or one above.
func TestOOMAccount(t *testing.T) {
	t.Parallel()
	stats := func(own, all uint64) cgroup.Stats {
		return cgroup.Stats{OOM: cgroup.Counter{Value: own, Known: true}, OOMKill: cgroup.Counter{Value: all, Known: true}}
	}
	killed := Exit{Status: unix.WaitStatus(unix.SIGKILL)}
	a := oomAccount{stats(5, 5)}
	for i, c := range []struct {
		end  Exit
		now  cgroup.Stats
		want Cause
	}{
		{killed, stats(5, 5), Signalled},
		{killed, stats(6, 7), OOMKilled}, // two were killed
		{Exit{Status: 1 << 8}, stats(6, 7), Exited},
		{killed, stats(6, 7), OOMKilled},
		{killed, stats(6, 7), Signalled},
		{killed, stats(6, 8), OOMAbove},
		{killed, stats(6, 8), Signalled},
		{Exit{Status: unix.WaitStatus(unix.SIGKILL), Killed: GraceExceeded}, stats(6, 9), Cause(GraceExceeded)},
		{killed, stats(6, 9), OOMAbove},
	} {
		if got := a.explain(c.end, c.now, 0); got != c.want {
			t.Errorf("end %d: %s, want %s", i, got, c.want)
		}
	}
}
