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

func TestLookup(t *testing.T) {
	t.Parallel()
	env := []string{"A=1", "EMPTY=", "A=2", "PATH=/a:/b", "X=y=z", "AB=3", "=C=4", "NOTHING"}
	for key, want := range map[string]string{
		"A": "1", "EMPTY": "", "PATH": "/a:/b", "X": "y=z", "B": "", "NOTHING": "", "": "C=4", "PAT": "",
	} {
		if got := exec.Getenv(env, key); got != want {
			t.Errorf("Lookup(%q) = %q, want %q", key, got, want)
		}
	}
}

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

func TestInheritedAndLeave(t *testing.T) {
	t.Parallel()
	p := testproc.Command{Argv: testproc.Argv("leaver"), Dir: t.TempDir()}.Start(t)
	p.Expect("has the report pipe: true", "has one more: true", "closed it: bad file descriptor", "in /")
	p.WaitCode(0)
}

// leaver opens two files, one of which is passed on, and leaves that.
func leaver([]string) {
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
