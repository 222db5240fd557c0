package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// startProfiled starts testdata/agent/profiled.js, whose hot function is in the last of
// its workers, and waits until its figures are known.
func startProfiled(t *testing.T, line, flags string, workers int) (k *cluster, port int) {
	t.Helper()
	port = harness.ReservePort(t)
	c := harness.UnderInit(flags, harness.NodeBinary(t, line), "--disallow-code-generation-from-strings", inAgentData(t, "profiled.js"))
	c = harness.WithEnv(c, fmt.Sprint("TEST_PORT=", port), fmt.Sprint("TEST_HOT=", workers-1), "TEST_SECRET=correct horse")
	k = &cluster{t: t, Process: c.Start(t)}
	harness.WaitUntil(t, "figures of the workers", func() bool {
		list := workersOf(k)
		for _, w := range list {
			if w.Utilization == nil || w.Slot == workers-1 && *w.Utilization < 0.9 || w.Slot < workers-1 && *w.Utilization > 0.8 {
				return false
			}
		}
		return len(list) == workers
	})
	return k, port
}

// workersOf returns the workers, as status shows them.
func workersOf(k *cluster) []statusWorker {
	k.t.Helper()
	p := k.subcommand("status", "--json")
	if p.Wait().ExitStatus() != 0 {
		return nil // the control socket is not there yet
	}
	var d statusDocument
	if err := json.Unmarshal([]byte(p.Output()), &d); err != nil {
		k.t.Fatal(err)
	}
	return d.Workers
}

// taken has a subcommand write a file of a worker, parses it into v and returns its text.
func taken(k *cluster, v any, stderr string, args ...string) string {
	k.t.Helper()
	p := k.subcommand(args...)
	p.WaitCode(0)
	if !regexp.MustCompile("^" + stderr + "\n$").MatchString(p.Errors()) {
		k.t.Errorf("%v: printed %q, want %q", args, p.Errors(), stderr)
	}
	if err := json.Unmarshal([]byte(p.Output()), v); err != nil {
		k.t.Fatalf("%v: %v in %.1000q", args, err, p.Output())
	}
	return p.Output()
}

// Each kind is what DevTools reads, of the busiest worker, and names what is in it.
func TestProfiles(t *testing.T) {
	t.Parallel()
	for _, line := range harness.ReleaseLines {
		modes := map[string]int{"--mode per-core --workers 2": 2}
		if line == harness.NewestLine {
			modes["--mode fork"] = 1
		}
		for flags, workers := range modes {
			t.Run(line+" "+flags, func(t *testing.T) {
				t.Parallel()
				k, _ := startProfiled(t, line, flags+" --hang-timeout 0", workers)
				list := workersOf(k)
				hot := list[len(list)-1]
				busiest := fmt.Sprintf(`of worker %d \(pid %d\), the busiest`, hot.Slot, hot.PID)

				var cpu cpuProfile
				taken(k, &cpu, "nodeinit: profile "+busiest, "profile", "cpu", "--seconds", "1")
				cpu.check(t, "hotFunction")

				var alloc heapProfile
				taken(k, &alloc, "nodeinit: profile "+busiest, "profile", "--seconds=1s", "alloc")
				if names := alloc.Head.names(); alloc.Head.total() == 0 || !strings.Contains(names, " allocatingFunction ") {
					t.Errorf("%v bytes in %s", alloc.Head.total(), names)
				}

				var heap heapSnapshot
				named := fmt.Sprintf(`nodeinit: profile of worker 0 \(pid %d\)`, list[0].PID)
				taken(k, &heap, named, "profile", "heap", "--worker", "0", "--force")
				heap.check(t, "MarkedThing", "label", "the marked label")

				var report struct {
					Header struct {
						ProcessID     int    `json:"processId"`
						NodejsVersion string `json:"nodejsVersion"`
					}
					JavascriptHeap map[string]any
				}
				text := taken(k, &report, "nodeinit: report of worker 0 .*", "report", "--worker", "0")
				if report.Header.NodejsVersion != "v"+line || len(report.JavascriptHeap) == 0 {
					t.Errorf("%+v", report)
				}
				if strings.Contains(text, "environmentVariables") || strings.Contains(text, "correct horse") {
					t.Error("the report has the environment in it")
				}
			})
		}
	}
}

const another = "another client is taking a profile, and there is one at a time"

// There is one profile at a time. It ends with its client, and with its worker.
func TestProfileEndsWithEither(t *testing.T) {
	t.Parallel()
	k, _ := startProfiled(t, harness.NewestLine, "--mode per-core --workers 1 --max-crashes 1", 1)
	start := func() *testproc.Process {
		enter := []string{"nsenter", "--target", strconv.Itoa(k.PID), "--pid", "--mount", "sh", "-c", `echo "pid $$" >&2; exec "$@"`, "sh"}
		p := testproc.Command{Argv: append(enter, harness.Nodeinit, "profile", "cpu", "--seconds", "1h")}.Start(t)
		harness.WaitUntil(t, "the profile", func() bool { return strings.Contains(p.Errors(), "of worker 0") })
		return p
	}
	first := start()
	k.expectSubcommand(k.subcommand("report"), 1, "nodeinit: report: "+another)
	sendSignal(k, harness.PIDIn(t, first.Errors()), "KILL") // nsenter is its parent
	first.Wait()
	// nodeinit learns of the end of the first client at once, and the worker soon.
	harness.WaitUntil(t, "another profile", func() bool {
		p := k.subcommand("profile", "cpu", "--seconds", "0.1")
		if p.Wait().ExitStatus() == 0 {
			return json.Valid([]byte(p.Output()))
		}
		if !strings.Contains(p.Errors(), another) && !strings.Contains(p.Errors(), "another profile of it is being taken") {
			t.Fatal(p.Errors())
		}
		return false
	})
	second := start()
	sendSignal(k, workersOf(k)[0].PID, "KILL")
	k.expectSubcommand(second, 1, `nodeinit: profile: process \d+ has ended.*`)
	harness.WaitUntil(t, "a report of the next worker", func() bool { return k.subcommand("report").Wait().ExitStatus() == 0 })
	k.expectSubcommand(k.subcommand("report", "--worker", "7"), 1, `nodeinit: report: there is no worker 7 \(see nodeinit status\)`)
	k.expectSubcommand(k.subcommand("report", "--worker", "x"), 2, `nodeinit: report: --worker: "x" is not the number of a worker .*`)
}

// sendSignal sends a signal to a process, by its ID in the container.
func sendSignal(k *cluster, pid int, name string) {
	k.t.Helper()
	if _, err := harness.Run("nsenter", "--target", strconv.Itoa(k.PID), "--pid", "--mount", "sh", "-c", fmt.Sprintf("kill -%s %d", name, pid)); err != nil {
		k.t.Fatal(err)
	}
}

// A client that does not read holds up neither the program nor its end.
func TestProfileThatIsNotRead(t *testing.T) {
	t.Parallel()
	k, port := startProfiled(t, harness.NewestLine, "--mode fork "+harness.LongGrace, 1)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	client := exec.Command("nsenter", "--target", strconv.Itoa(k.PID), "--pid", "--mount", harness.Nodeinit, "profile", "heap", "--force")
	client.Stdout = w
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	defer client.Wait()
	defer client.Process.Kill()
	w.Close()
	if _, err := r.Read(make([]byte, 1)); err != nil { // it has come, and is longer than a pipe
		t.Fatal(err)
	}
	for range 10 {
		if text, err := harness.Get("http://" + harness.Local(port)); err != nil || text != "hello\n" {
			t.Errorf("%q, %v", text, err)
		}
	}
	k.Signal(unix.SIGTERM)
	k.WaitCode(harness.Terminated)
}

// A stopped worker takes no profile: the client says so, and nothing is left of it.
func TestProfileOfAStoppedWorker(t *testing.T) {
	t.Parallel()
	k, _ := startProfiled(t, harness.NewestLine, "--mode fork", 1)
	pid := workersOf(k)[0].PID
	sendSignal(k, pid, "STOP")
	// Within ten seconds nodeinit may not know it yet.
	k.expectSubcommand(k.subcommand("report"), 1, `nodeinit: report: (process \d+ has not begun within 30 s|worker 0 .*): its event loop.* stands still.*`)
	harness.WaitUntil(t, "that nodeinit knows", func() bool {
		p := k.subcommand("report")
		p.WaitCode(1)
		return strings.Contains(p.Errors(), "its event loop, which would have to take the profile, stands still for ")
	})
	sendSignal(k, pid, "CONT")
	harness.WaitUntil(t, "a report", func() bool { return k.subcommand("report").Wait().ExitStatus() == 0 })
}

// Without an agent there is nothing that takes a profile.
func TestProfileWithoutAgent(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"fork", "per-core"} {
		c := start{harness.NewestLine, mode}.node(t, "--no-agent", "profiled.js")
		k := &cluster{t: t, Process: harness.WithEnv(c, fmt.Sprint("TEST_PORT=", harness.ReservePort(t)), "TEST_HOT=none").Start(t)}
		harness.WaitUntil(t, "a worker", func() bool { return len(workersOf(k)) == 1 })
		k.expectSubcommand(k.subcommand("profile", "heap"), 1, `nodeinit: profile: worker 0 \(pid \d+\): it has no agent \(--no-agent.*`)
	}
}
