package test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// spawn starts a role of this binary that may report; its stdin is this
// process's too.
func spawn(attr *syscall.SysProcAttr, argv ...string) *exec.Cmd {
	c := exec.Command(argv[0], argv[1:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.ExtraFiles, c.SysProcAttr = []*os.File{os.NewFile(3, "reports")}, attr
	if err := c.Start(); err != nil {
		fail(err)
	}
	return c
}

// ancestor starts a line of so many descendants, each of which ends as soon as
// it has started the next, and waits for none of them. It exits with 7.
func ancestor(args []string) {
	spawn(nil, testproc.Argv("descendant", args...)...)
	testproc.UntilStdinCloses()
	os.Exit(7)
}

// descendant is one of the line: args are how many more are to come and, if
// given, "setsid", when each has a session of its own.
func descendant(args []string) {
	more, err := strconv.Atoi(args[0])
	if err != nil {
		fail(err)
	}
	if more == 0 {
		testproc.Say("end of the line")
		return
	}
	args[0] = strconv.Itoa(more - 1)
	spawn(&syscall.SysProcAttr{Setsid: len(args) > 1}, testproc.Argv("descendant", args...)...)
}

func TestPID1ReapsOrphansFromAnyDepth(t *testing.T) {
	t.Parallel()
	for depth := 1; depth <= 5; depth++ {
		for _, kind := range []string{"fork", "setsid"} {
			t.Run(fmt.Sprintf("%s %d", kind, depth), func(t *testing.T) {
				t.Parallel()
				args := []string{strconv.Itoa(depth)}
				if kind == "setsid" {
					args = append(args, kind)
				}
				p := underInit("", testproc.Argv("ancestor", args...)...).Start(t)
				p.Expect("end of the line")
				// The eldest is not waited for: it is the ancestor's zombie.
				expectOnly(t, p, 3)
				p.CloseStdin()
				p.WaitCode(7)
			})
		}
	}
}

// forkMany makes 10,000 processes that have all ended when it ends itself, and
// waits for none. A role would take a minute for as many; perl, which no Debian
// is without, forks cheaply and keeps its zombies.
var forkMany = []string{"perl", "-e", `
	for (1..10000) {
		my $pid;
		select undef, undef, undef, 0.01 until defined($pid = fork);
		exit unless $pid;
	}
	exit 3`}

// nursery runs args to their end, says how that was, and lives on.
func nursery(args []string) {
	c := exec.Command(args[0], args[1:]...)
	_ = c.Run() // its status is reported
	testproc.Say("status %d", c.ProcessState.ExitCode())
	testproc.UntilStdinCloses()
	os.Exit(7)
}

func TestPID1ReapsTenThousandAtOnce(t *testing.T) {
	t.Parallel()
	p := underInit("", testproc.Argv("nursery", forkMany...)...).Start(t)
	p.Expect("status 3")
	expectOnly(t, p, 2)
	p.CloseStdin()
	p.WaitCode(7)
}

// rain runs 200 nodeinits, four at a time, each of whose programs ends at once,
// with a status of its own, while orphans of it end too. The program is a shell
// because a role would be too slow to get in the way of itself.
func rain(args []string) {
	var all sync.WaitGroup
	for lane := range 4 {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := range 50 {
				code := (lane*50+i)%255 + 1
				script := fmt.Sprintf("(:& :& :&) & : & (:&) ; exit %d", code)
				c := exec.Command(args[0], "--log-level", "off", "--", "sh", "-c", script)
				c.Stderr = os.Stderr
				_ = c.Run() // its status is what counts
				if got := c.ProcessState.ExitCode(); got != code {
					fail(fmt.Errorf("status %d, want %d", got, code))
				}
			}
		}()
	}
	all.Wait()
	testproc.Say("200 right")
}

func TestPID1NeverLosesAStatusAmongOrphans(t *testing.T) {
	t.Parallel()
	p := underInit("", testproc.Argv("rain", nodeinit)...).Start(t)
	p.Expect("200 right")
	p.WaitCode(0)
}
