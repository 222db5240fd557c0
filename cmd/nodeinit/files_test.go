package main

import (
	"os"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/files"
	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/plan"
)

func TestMain(m *testing.M) {
	testproc.Main(map[string]func([]string){"starting": starting, "toppanics": topPanics})
	os.Exit(m.Run())
}

// What a start reads is read without Go's poller: the runtime makes an epoll instance
// for the first file that it tries to poll, and keeps it.
func TestStartReadsWithoutPoller(t *testing.T) {
	t.Parallel()
	p := testproc.Command{Argv: testproc.Argv("starting")}.Start(t)
	p.Expect("polls at first: false", "a memory of the machine: true", "the file of sh: true", "polls: false", "polls after os.Open: true")
	p.WaitCode(0)
}

// starting reads what a start reads before the program.
func starting([]string) {
	testproc.Say("polls at first: %t", polls())
	a := &app{environ: []string{"PATH=" + os.Getenv("PATH")}}
	source := a.limits()
	limits := source.Read()
	source.Group.Baseline()
	exec.Inherited()
	shellAbove(files.Dir("/proc"), 1)
	a.identify([]string{"npm", "start"})
	program := a.identify([]string{"sh"})
	p, _ := plan.New(a.config, limits, plan.Outputs{}, program)
	file, _ := p.Program.Find()
	testproc.Say("a memory of the machine: %t", limits.MemTotal > 0)
	testproc.Say("the file of sh: %t", len(exec.ReadHead(file, 4)) == 4)
	testproc.Say("polls: %t", polls())
	f, err := os.Open("/proc/self/status")
	testproc.Say("polls after os.Open: %t", err == nil && polls())
	f.Close()
}

// polls reports whether this process has an epoll instance.
func polls() bool {
	names, _ := files.Names("/proc/self/fd")
	for _, name := range names {
		if target, _ := os.Readlink("/proc/self/fd/" + name); strings.Contains(target, "eventpoll") {
			return true
		}
	}
	return false
}
