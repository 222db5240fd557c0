package pid1

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// An ordinary user who has no large pipes left (pipe(7), pipe-user-pages-soft) gets small
// ones, and nothing is lost in them.
func TestSmallPipes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", 4<<10) + "\n"
	c := harness.Under(speaks("--logs lines --log-level off", long, long, "2>"+long, "end"), testproc.Argv("pipehog")...)
	p := harness.Under(c, testproc.Argv("nobody")...).Start(t)
	p.WaitCode(0)
	if p.Output() != long+long+"end" || p.Errors() != long {
		t.Errorf("heard %d and %d bytes", len(p.Output()), len(p.Errors()))
	}
	c = harness.Under(harness.UnderInit("--log-level off --logs lines", testproc.Argv("outputs")...), testproc.Argv("pipehog")...)
	p = harness.Under(c, testproc.Argv("nobody")...).Start(t)
	for range 2 {
		if line := p.Line(); strings.Contains(line, " 1048576 bytes") {
			t.Errorf("the pipes are large: %s", line)
		}
	}
	p.CloseStdin()
	p.WaitCode(0)
}

// pipehog becomes args, which inherits all large pipes that the user may have.
func pipehog(args []string) {
	for {
		var fds [2]int
		if err := unix.Pipe(fds[:]); err != nil {
			harness.Fail(err)
		}
		if _, err := unix.FcntlInt(uintptr(fds[0]), unix.F_SETPIPE_SZ, 1<<20); err != nil {
			break // EPERM
		}
	}
	harness.Become(args)
}
