package pid1

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

func TestReapsOrphansFromAnyDepth(t *testing.T) {
	t.Parallel()
	for depth := 1; depth <= 5; depth++ {
		for _, kind := range []string{"fork", "setsid"} {
			t.Run(fmt.Sprintf("%s %d", kind, depth), func(t *testing.T) {
				t.Parallel()
				args := []string{strconv.Itoa(depth)}
				if kind == "setsid" {
					args = append(args, kind)
				}
				p := harness.UnderInit("", testproc.Argv("ancestor", args...)...).Start(t)
				p.Expect("end of the line")
				// The eldest is not waited for: it is the ancestor's zombie.
				harness.ExpectProcesses(t, p, 3)
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

func TestReapsTenThousandAtOnce(t *testing.T) {
	t.Parallel()
	p := harness.UnderInit("", testproc.Argv("nursery", forkMany...)...).Start(t)
	p.Expect("status 3")
	harness.ExpectProcesses(t, p, 2)
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
					harness.Fail(fmt.Errorf("status %d, want %d", got, code))
				}
			}
		}()
	}
	all.Wait()
	testproc.Say("200 right")
}

func TestNeverLosesAStatusAmongOrphans(t *testing.T) {
	t.Parallel()
	p := harness.UnderInit("", testproc.Argv("rain", harness.Nodeinit)...).Start(t)
	p.Expect("200 right")
	p.WaitCode(0)
}
