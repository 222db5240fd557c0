package peers

import (
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// A peer is an init that people use, and what it does where they differ.
type peer struct {
	argv    []string
	missing int  // status for a command that is not there
	locked  int  // status for one that may not be executed
	waits   bool // for what the program leaves behind
}

// peers are tini 0.19, dumb-init 1.2.5 and catatonit 0.1.7 of Debian; nodeinit
// is held to the same tests, and to the better answer where they differ: statuses
// that a shell would give, and an end for leftovers that they can prepare for.
func peers() map[string]peer {
	return map[string]peer{
		"nodeinit":  {argv: []string{harness.Nodeinit, "--log-level", "off", "--"}, missing: 127, locked: 126, waits: true},
		"tini":      {argv: []string{"/usr/bin/tini", "--"}, missing: 127, locked: 126},
		"dumb-init": {argv: []string{"/usr/bin/dumb-init", "--"}, missing: 2, locked: 2},
		"catatonit": {argv: []string{"/usr/bin/catatonit", "--"}, missing: 1, locked: 1},
	}
}

// eachPeer runs test, in parallel, for each peer.
func eachPeer(t *testing.T, test func(t *testing.T, p peer)) {
	t.Parallel()
	for name, p := range peers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, p)
		})
	}
}

// runs is argv under the peer as PID 1.
func (p peer) runs(argv ...string) testproc.Command {
	return testproc.Command{PID1: true, Argv: slices.Concat(p.argv, argv)}
}

func TestExitAsTheProgram(t *testing.T) {
	eachPeer(t, func(t *testing.T, p peer) {
		for _, code := range []int{0, 1, 77, 255} {
			p.runs("sh", "-c", "exit "+strconv.Itoa(code)).Start(t).WaitCode(code)
		}
		for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL, unix.SIGSEGV} {
			p.runs("sh", "-c", "kill -"+strconv.Itoa(int(sig))+" $$").Start(t).WaitCode(128 + int(sig))
		}
	})
}

func TestSayThatACommandDoesNotStart(t *testing.T) {
	eachPeer(t, func(t *testing.T, p peer) {
		p.runs("/no/such/program").Start(t).WaitCode(p.missing)
		p.runs("/etc/passwd").Start(t).WaitCode(p.locked)
	})
}

func TestForwardSignals(t *testing.T) {
	eachPeer(t, func(t *testing.T, p peer) {
		program := p.runs(testproc.Argv("catcher", "program")...).Start(t)
		program.Expect("program up")
		for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH, 35, 64} {
			program.Signal(sig)
			program.Expect(harness.Caught("program", sig)...)
		}
		program.CloseStdin()
		program.WaitCode(7)
	})
}

func TestReapOrphans(t *testing.T) {
	eachPeer(t, func(t *testing.T, p peer) {
		program := p.runs(testproc.Argv("ancestor", "5")...).Start(t)
		program.Expect("end of the line")
		harness.ExpectProcesses(t, program, 3)
		program.CloseStdin()
		program.WaitCode(7)
	})
}

// The others leave it to the kernel, or end before their SIGTERM is seen to.
func TestEndWhatTheProgramLeavesBehind(t *testing.T) {
	eachPeer(t, func(t *testing.T, p peer) {
		program := p.runs(testproc.Argv("leaver")...).Start(t)
		program.Expect("leftover up")
		program.Signal(unix.SIGUSR1)
		if p.waits {
			harness.ExpectAll(t, program, harness.Caught("leftover", unix.SIGTERM)...)
			program.CloseStdin()
		}
		program.WaitCode(7)
	})
}
