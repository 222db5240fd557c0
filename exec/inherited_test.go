package exec_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/internal/testproc"
)

func TestDropListenPID(t *testing.T) {
	t.Parallel()
	own := fmt.Sprintf("LISTEN_PID=%d", os.Getpid())
	for _, c := range []struct{ env, want []string }{
		{nil, nil},
		{[]string{own}, nil},
		{[]string{"A=1", own, "LISTEN_FDS=2", own}, []string{"A=1", "LISTEN_FDS=2"}},
		{[]string{own + "0", "LISTEN_PID=", "X" + own}, []string{own + "0", "LISTEN_PID=", "X" + own}},
	} {
		before := slices.Clone(c.env)
		if got := exec.DropListenPID(c.env); !slices.Equal(got, c.want) {
			t.Errorf("DropListenPID(%q) = %q, want %q", before, got, c.want)
		}
		if !slices.Equal(c.env, before) {
			t.Errorf("DropListenPID made %q of %q", c.env, before)
		}
	}
}

func TestInherited(t *testing.T) {
	t.Parallel()
	p := testproc.Command{Argv: testproc.Argv("inheritedCloser"), Dir: t.TempDir()}.Start(t)
	p.Expect("has the report pipe: true", "has one more: true", "closed it: bad file descriptor", "in /")
	p.WaitCode(0)
}

// inheritedCloser opens two files, one without close-on-exec, and closes what is
// inherited.
func inheritedCloser([]string) {
	before := exec.Inherited()
	testproc.Say("has the report pipe: %v", slices.Contains(before, 3))
	private, err := os.Open("/dev/null")
	if err != nil {
		fail(err)
	}
	defer private.Close()
	shared, err := unix.Dup(int(private.Fd()))
	if err != nil {
		fail(err)
	}
	after, want := exec.Inherited(), append(before, shared)
	slices.Sort(after)
	slices.Sort(want)
	testproc.Say("has one more: %v", slices.Equal(after, want))
	exec.CloseInherited([]int{shared})
	_, err = unix.FcntlInt(uintptr(shared), unix.F_GETFD, 0)
	testproc.Say("closed it: %v", err)
	dir, err := os.Getwd()
	if err != nil {
		fail(err)
	}
	testproc.Say("in %s", dir)
}
