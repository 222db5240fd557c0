package pid1

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

func TestRewritesSignals(t *testing.T) {
	t.Parallel()
	const term = unix.SIGTERM
	for _, c := range []struct {
		flags, env string
		send, want []unix.Signal
	}{
		{"-r USR1:USR2", "", []unix.Signal{unix.SIGUSR1}, []unix.Signal{unix.SIGUSR2}},
		{"--rewrite=10:12", "", []unix.Signal{unix.SIGUSR1}, []unix.Signal{unix.SIGUSR2}},
		{"-r sigusr1:RTMIN+1", "", []unix.Signal{unix.SIGUSR1}, []unix.Signal{35}},
		{"-r RTMIN+1:RTMAX-1", "", []unix.Signal{35}, []unix.Signal{63}},
		{"-r RTMAX:HUP", "", []unix.Signal{64}, []unix.Signal{unix.SIGHUP}},
		{"-r HUP:0", "", []unix.Signal{unix.SIGHUP}, nil},
		{"-r TERM:0", "", []unix.Signal{term}, nil},
		{"-r TERM:INT", "", []unix.Signal{term}, []unix.Signal{unix.SIGINT}},
		{"-r TERM:WINCH", "", []unix.Signal{term}, []unix.Signal{unix.SIGWINCH}},
		{"-r HUP:TERM", "", []unix.Signal{unix.SIGHUP}, []unix.Signal{term}},
		{"-r USR1:USR2 -r USR2:USR1 -r HUP:0", "", []unix.Signal{unix.SIGUSR1, unix.SIGUSR2, unix.SIGHUP}, []unix.Signal{unix.SIGUSR1, unix.SIGUSR2}},
		{"", "USR1:USR2,HUP:0", []unix.Signal{unix.SIGUSR1, unix.SIGHUP}, []unix.Signal{unix.SIGUSR2}},
		{"-r USR1:HUP", "USR1:USR2,HUP:0", []unix.Signal{unix.SIGUSR1}, []unix.Signal{unix.SIGHUP}},
		{"--stop-signal USR2", "", []unix.Signal{term}, []unix.Signal{unix.SIGUSR2}},
		{"--stop-signal USR2", "", []unix.Signal{unix.SIGUSR2}, []unix.Signal{unix.SIGUSR2}},
		{"--stop-signal USR2 -r INT:HUP", "", []unix.Signal{unix.SIGINT}, []unix.Signal{unix.SIGHUP}},
	} {
		t.Run(c.flags+c.env, func(t *testing.T) {
			t.Parallel()
			p := startCatcher(t, harness.WithEnv(harness.UnderInit("--grace 0 "+c.flags), "NODEINIT_REWRITE="+c.env))
			for _, sig := range c.send {
				p.Signal(sig)
			}
			p.Signal(unix.SIGALRM) // which is not rewritten
			harness.ExpectAll(t, p, harness.Caught("program", append(c.want, unix.SIGALRM)...)...)
			p.CloseStdin()
			if rest := p.Rest(); len(rest) > 0 {
				t.Errorf("reported %q as well", rest)
			}
			p.WaitCode(7)
		})
	}
}

func TestRewriteToKill(t *testing.T) {
	t.Parallel()
	p := startCatcher(t, harness.UnderInit("-r USR1:KILL"))
	p.Signal(unix.SIGUSR1)
	p.WaitCode(137)
}

func TestRefusesRewritesThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"TERM", "TERM:", ":TERM", "TERM:INT:HUP", "NIX:INT", "TERM:NIX", "0:TERM",
		"TERM:65", "TERM:-1", "CHLD:TERM", "TERM:CHLD", "KILL:TERM", "RTMIN:TERM", "RTMIN-1:TERM", "RTMAX+1:TERM", "URG:TERM"} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			for _, c := range []testproc.Command{
				{Argv: []string{harness.Nodeinit, "-r", value, "--", "true"}},
				harness.WithEnv(testproc.Command{Argv: []string{harness.Nodeinit, "--", "true"}}, "NODEINIT_REWRITE="+value),
			} {
				p := c.Start(t)
				p.WaitCode(2)
				if line := p.Errors(); strings.Count(line, "\n") != 1 || !strings.HasPrefix(line, "nodeinit: ") || !strings.Contains(line, "try ") {
					t.Errorf("stderr %q, want one line with an example", line)
				}
			}
		})
	}
}
