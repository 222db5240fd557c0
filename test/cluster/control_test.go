package cluster

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// subcommand starts nodeinit with args in the container, as docker exec does.
func (k *cluster) subcommand(args ...string) *testproc.Process {
	k.t.Helper()
	enter := []string{"nsenter", "--target", fmt.Sprint(k.PID), "--pid", "--mount"}
	if os.Getuid() != 0 {
		enter = append(enter, "--user", "--preserve-credentials")
	}
	return testproc.Command{Argv: slices.Concat(enter, []string{harness.Nodeinit}, args)}.Start(k.t)
}

// expectSubcommand has it end with code, and its last line, of stderr if that has one,
// match a regular expression.
func (k *cluster) expectSubcommand(p *testproc.Process, code int, last string) {
	k.t.Helper()
	p.WaitCode(code)
	text := p.Output()
	if p.Errors() != "" {
		text = p.Errors()
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if !regexp.MustCompile("^(" + last + ")$").MatchString(lines[len(lines)-1]) {
		k.t.Errorf("the last line is %q, want %q", lines[len(lines)-1], last)
	}
}

// expectHealth has health exit with code and print one line that matches.
func (k *cluster) expectHealth(code int, want string) {
	k.t.Helper()
	p := k.subcommand("health")
	k.expectSubcommand(p, code, want)
	if n := strings.Count(p.Output()+p.Errors(), "\n"); n != 1 {
		k.t.Errorf("%d lines", n)
	}
}

// untilHealth waits until health exits with code and prints what matches.
func (k *cluster) untilHealth(code int, want string) {
	k.t.Helper()
	expression := regexp.MustCompile("^(" + want + ")\n$")
	harness.WaitUntil(k.t, fmt.Sprintf("health with %d: %s", code, want), func() bool {
		p := k.subcommand("health")
		return p.Wait().ExitStatus() == code && expression.MatchString(p.Output())
	})
}

var stepLine = regexp.MustCompile(`^ *\d+ ms  slot (\d+)  pid (\d+)  (\S.*)$`)

// steps are those that a subcommand has printed so far, each with the slot and a letter
// for the process, a for the first one that it names. One that a drained worker gets its
// signal is left out: it may end before.
func steps(t *testing.T, p *testproc.Process) []string {
	t.Helper()
	var list []string
	names := make(map[string]byte)
	for line := range strings.Lines(p.Output()) {
		m := stepLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		switch {
		case m == nil:
			list = append(list, strings.TrimSuffix(line, "\n"))
		case m[3] == "stopping":
		default:
			if names[m[2]] == 0 {
				names[m[2]] = 'a' + byte(len(names))
			}
			list = append(list, fmt.Sprintf("%s%c %s", m[1], names[m[2]], m[3]))
		}
	}
	return list
}

func expectSteps(t *testing.T, p *testproc.Process, want ...string) {
	t.Helper()
	got := steps(t, p)
	for i := range min(len(got), len(want)) {
		if rest, found := strings.CutPrefix(want[i], "~"); found && regexp.MustCompile("^("+rest+")$").MatchString(got[i]) {
			got[i] = want[i]
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("printed\n%q, want\n%q", got, want)
	}
}

// reload prints what becomes of each slot while it happens, and scale too; what fails or
// is refused ends with 1 and the reason.
func TestControlsWorkers(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		disk, file := newScratch(t)
		k := startCluster(t, p, app{workers: 2, file: file})
		workers, port := k.all(2), harness.ReservePort(t)
		k.expectHealth(1, "unhealthy: no worker is ready, starting, starting")
		listenEach(workers, port)
		k.untilLogged(2, "worker ready")
		k.untilHealth(0, "healthy: 2 of 2 workers ready")

		first := k.subcommand("reload")
		replacement := k.nextIn(0)
		harness.WaitUntil(t, "the first step", func() bool { return slices.Equal(steps(t, first), []string{"0a starting"}) })
		k.untilHealth(0, "healthy: 2 of 2 workers ready, reloading")
		second := k.subcommand("reload")
		k.untilLogged(1, "another reload will follow")
		replacement.listens(listenTo(port, "127.0.0.1"))
		workers[0].rest()
		old := workers[1]
		workers = []*worker{replacement, k.nextIn(1)}
		workers[1].listens(listenTo(port, "127.0.0.1"))
		old.rest()
		first.WaitCode(0)
		k.replaceAll(workers, port)
		second.WaitCode(0)
		for _, reload := range []*testproc.Process{first, second} {
			expectSteps(t, reload, "0a starting", "0a ready", "0b draining", "0b ended (reload)",
				"1c starting", "1c ready", "1d draining", "1d ended (reload)", `~reloaded 2 workers in \d+\.\d s`)
		}

		disk.becomes("process.exit(3);")
		failed := k.subcommand("reload")
		k.expectSubcommand(failed, 1, `nodeinit: reload: the new worker of slot 0 did not come up: exit 3 \(0 workers replaced before\)`)
		expectSteps(t, failed, "0a starting", "0a ended (exit 3)")
		expectServed(t, p, workers, "tcp", harness.Local(port))
		disk.becomes("")

		fewer := k.subcommand("scale", "1")
		k.expectSubcommand(fewer, 0, "1 worker")
		expectSteps(t, fewer, "1a draining", "1a ended (scale)", "1 worker")
		k.untilHealth(0, "healthy: 1 of 1 worker ready")
		k.expectSubcommand(k.subcommand("scale", "1000"), 1, `nodeinit: scale: the limits of the container are good for \d+ workers \(--force starts more\)`)
		k.expectSubcommand(k.subcommand("scale", "1025", "--force"), 1, `nodeinit: scale: more than 1024 workers`)
		more := k.subcommand("scale", "3", "--force")
		for slot := 1; slot <= 2; slot++ {
			k.nextIn(slot).listens(listenTo(port, "127.0.0.1"))
		}
		k.expectSubcommand(more, 0, "3 workers")
		expectSteps(t, more, "1a starting", "1a ready", "2b starting", "2b ready", "3 workers")
		k.expectSubcommand(k.subcommand("scale", "auto"), 0, "2 workers")
		k.untilHealth(0, "healthy: 2 of 2 workers ready")

		left := k.subcommand("reload")
		k.nextIn(0)
		k.Signal(unix.SIGTERM)
		k.expectSubcommand(left, 1, "nodeinit: reload: stopping")
		k.WaitCode(harness.Terminated)
	})
}

// health tells when no event loop turns any more, and when one does again, and that a
// stop has begun.
func TestHealthWhereWorkersHang(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(2, "--hang-timeout 0 --drain-delay 1h"))
		workers, port := k.all(2), harness.ReservePort(t)
		listenEach(workers, port)
		for _, w := range workers {
			w.do("beaten", nil, nil)
		}
		k.untilHealth(0, "healthy: 2 of 2 workers ready")
		if err := workers[1].try("spin", nil, nil); err != nil {
			t.Fatal(err)
		}
		k.untilHealth(0, "healthy: 1 of 2 workers ready, 1 with an event loop that stands still")
		if err := unix.Kill(workers[0].PID, unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		k.untilHealth(1, `unhealthy: no worker's event loop turns: that of each stands still for \d+ s or more`)
		if err := unix.Kill(workers[0].PID, unix.SIGCONT); err != nil {
			t.Fatal(err)
		}
		k.untilHealth(0, "healthy: 1 of 2 workers ready, 1 with an event loop that stands still")

		k.Signal(unix.SIGSTOP)
		k.untilHealth(1, "unhealthy: no answer within .*") // its threads stop one after the other
		k.expectSubcommand(k.subcommand("reload"), 1, "nodeinit: reload: no answer within 10s")
		k.Signal(unix.SIGCONT)
		k.Signal(unix.SIGTERM)
		k.untilLogged(1, "stopping")
		k.expectHealth(1, "unhealthy: stopping: the drain delay is running")
		k.expectSubcommand(k.subcommand("reload"), 1, "nodeinit: reload: stopping")
		k.expectSubcommand(k.subcommand("scale", "1"), 1, "nodeinit: scale: stopping")
	})
}

// health tells that no worker serves while all crash, and when one serves again.
func TestHealthInACrashLoop(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		disk, file := newScratch(t)
		k := startCluster(t, p, app{workers: 1, file: file, flags: "--max-crashes 1000 --crash-window 1h"})
		w, port := k.next(), harness.ReservePort(t)
		w.listens(listenTo(port, "127.0.0.1"))
		k.untilHealth(0, "healthy: 1 of 1 worker ready")
		disk.becomes("process.exit(3);")
		w.do("exit", 4, nil)
		k.untilLogged(3, "replacing worker")
		k.untilHealth(1, "unhealthy: no worker is ready, waiting after exit 3")
		disk.becomes("")
		k.next().listens(listenTo(port, "127.0.0.1"))
		k.untilHealth(0, "healthy: 1 of 1 worker ready")
		k.stopWith(harness.Terminated)
	})
}

// In fork mode health is about the program, and without an agent it has to run.
func TestControlsOneProcess(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, inForkMode(servants(1, "--hang-timeout 0")))
		w := k.next()
		k.expectHealth(1, "unhealthy: the program is not ready, starting")
		w.listens(listenTo(harness.ReservePort(t), "127.0.0.1"))
		k.untilHealth(0, "healthy: the program is ready")
		k.expectSubcommand(k.subcommand("reload"), 1, `nodeinit: reload: one process cannot share its port with the next one \(try --mode per-core --workers 1\)`)
		k.expectSubcommand(k.subcommand("scale", "2"), 1, "nodeinit: scale: one process cannot share its port with others")
		w.do("beaten", nil, nil)
		if err := unix.Kill(w.PID, unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		k.untilHealth(1, `unhealthy: the event loop of the program stands still for \d+ s or more`)
		if err := unix.Kill(w.PID, unix.SIGCONT); err != nil {
			t.Fatal(err)
		}
		k.untilHealth(0, "healthy: the program is ready")

		k = startCluster(t, p, inForkMode(servants(1, "--no-agent")))
		k.next()
		k.untilHealth(0, "healthy: the program is ready")
		k = startCluster(t, p, servants(1, "--control off"))
		k.next()
		k.expectSubcommand(k.subcommand("health"), 1, "nodeinit: health: that nodeinit takes no commands .*")
	})
}
