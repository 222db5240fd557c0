package cluster

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// differences are the facts of testdata/fidelity/probe.js that are not as under
// plain node: by name, what docs/differences.md calls them.
var differences = map[string]string{
	"stack":       "the frames below the script",
	"asyncIds":    "`executionAsyncId()` in the script",
	"loopStarted": "`performance.nodeTiming.loopStart` in the script",
	"env":         "`NODEINIT_WORKER`",
	"child":       "`NODEINIT_WORKER`",
	"thread":      "`NODEINIT_WORKER`",
	"channel":     "`process.send`",
	"keys":        "`process.send`",
	"symbols":     "`process.send`",
	"listeners":   "listeners",
	"descriptors": "a descriptor",
	"subscribers": "subscribers",
	"cluster":     "`cluster.isWorker`",
	"closeServer": "`server.listening`",
}

// perCoreOnly are those that differ for workers only.
var perCoreOnly = []string{"env", "child", "thread", "cluster", "closeServer"}

// attachedOnly are those that differ where the agent is attached before the script.
var attachedOnly = []string{"symbols", "subscribers"}

// inFidelity is a command of node with arguments in testdata/fidelity, plain or
// under nodeinit.
func inFidelity(t *testing.T, line, mode string, args ...string) testproc.Command {
	t.Helper()
	argv := append([]string{harness.NodeBinary(t, line)}, args...)
	c := testproc.Command{Argv: argv}
	if mode != "plain" {
		c = harness.UnderInit(bothModes[mode]+" --log-level off", argv...)
	}
	c.Env = withoutVariables("NODE_OPTIONS")
	dir, err := filepath.Abs("testdata/fidelity")
	if err != nil {
		t.Fatal(err)
	}
	c.Dir = dir
	return c
}

// facts reads what probe.js prints.
func facts(t *testing.T, p *testproc.Process) map[string]string {
	t.Helper()
	p.WaitCode(0)
	read := map[string]string{}
	for line := range strings.Lines(p.Output()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		read[name] = value
	}
	return read
}

// TestFidelity: what a program can observe is the same with nodeinit and without,
// but for what docs/differences.md lists.
func TestFidelity(t *testing.T) {
	t.Parallel()
	onEach(t, starts(harness.NodeLines, "fork", "per-core"), func(t *testing.T, s start) {
		plain := facts(t, inFidelity(t, s.line, "plain", "probe.js", "a").Start(t))
		got := facts(t, inFidelity(t, s.line, s.mode, "probe.js", "a").Start(t))
		if len(plain) < 60 {
			t.Errorf("only %d facts", len(plain))
		}
		var differ, want []string
		for name := range plain {
			if got[name] != plain[name] {
				differ = append(differ, name)
				if _, may := differences[name]; !may {
					t.Errorf("%s:\n%s\n%s under plain node", name, got[name], plain[name])
				}
			}
		}
		for name := range differences {
			late := s.mode == "fork" && announcesListen(s.line)
			if s.mode == "per-core" || !slices.Contains(perCoreOnly, name) && !(late && slices.Contains(attachedOnly, name)) {
				want = append(want, name)
			}
		}
		slices.Sort(differ)
		slices.Sort(want)
		if !slices.Equal(differ, want) {
			t.Errorf("%v differ, want %v", differ, want)
		}
	})
}

// TestReadmeDifferences: docs/differences.md has what differs, and nothing more.
func TestReadmeDifferences(t *testing.T) {
	t.Parallel()
	section, _, _ := strings.Cut(harness.Document(t, "docs/differences.md"), "\n## ")
	var listed []string
	for _, m := range regexp.MustCompile(`(?m)^- (.+?)[:.,]( |$)`).FindAllStringSubmatch(section, -1) {
		listed = append(listed, m[1])
	}
	want := slices.Sorted(maps.Values(differences))
	slices.Sort(listed)
	if want = slices.Compact(want); !slices.Equal(listed, want) {
		t.Errorf("docs/differences.md lists\n%q, the test\n%q", listed, want)
	}
}

// ends of a program, as testdata/fidelity/ending.js calls them.
var ends = []string{
	"at once", "a status", "a status for later", "a status at the exit", "an error", "no error", "an error in a tick",
	"an error in a promise", "an error at the exit", "an error in the handler", "an error that is handled",
	"an error that is captured", "an error that is captured, and more work", "an error in a domain, and more work", "more work", "a signal", "a handled signal", "a server closed", "words to a parent",
	"the main script removed",
}

// mains are command lines of node's with scripts of all kinds.
var mains = []string{
	"directory", "directory/start", "wrong/start.js", "link.js", "--preserve-symlinks-main link.js", "bare", "missing.js",
	"module.mjs", "syntax.js", "await.js", "unsettled.mjs", "typed.ts", "typed.mts", "broken.js", "main.lang",
	"-r ./hook.js main.lang", "run.js main.lang", "run.js directory/start.js", "run.js module.mjs",
	"--import ./imported.mjs directory", "--import ./imported.mjs -r ./hook.js main.lang", "--enable-source-maps ending.js at",
	"--stack-trace-limit=1 broken.js", "--title=it directory a b",
}

// TestFidelityOfEnds: a program ends as under plain node: with the same status and
// the same words, but for the frames below it.
func TestFidelityOfEnds(t *testing.T) {
	t.Parallel()
	for _, end := range ends {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			compareEnds(t, "ending.js", end)
		})
	}
}

// TestFidelityOfMains: whatever kind of script it is, Node does with it what it
// would do.
func TestFidelityOfMains(t *testing.T) {
	t.Parallel()
	for _, main := range mains {
		t.Run(main, func(t *testing.T) {
			t.Parallel()
			compareEnds(t, strings.Fields(main)...)
		})
	}
}

func compareEnds(t *testing.T, args ...string) {
	t.Helper()
	onEach(t, append(starts(harness.SideLines, "fork"), start{harness.NewestLine, "per-core"}), func(t *testing.T, s start) {
		plain, got := inFidelity(t, s.line, "plain", args...).Start(t), inFidelity(t, s.line, s.mode, args...).Start(t)
		status, want := got.Wait(), plain.Wait()
		code := want.ExitStatus()
		if want.Signaled() {
			code = 128 + int(want.Signal())
		}
		if status.ExitStatus() != code {
			t.Errorf("status %d, want %d", status.ExitStatus(), code)
		}
		if got, want := got.Output(), plain.Output(); got != want {
			t.Errorf("it says\n%s\nand under plain node\n%s", got, want)
		}
		if got, want := above(got.Errors()), above(plain.Errors()); got != want {
			t.Errorf("stderr is\n%s\nand under plain node\n%s", got, want)
		}
	})
}

// above is what Node writes without what is below the script on the stack, a line
// of its own that threw, and process IDs.
func above(stderr string) string {
	stderr = regexp.MustCompile(`\(node:\d+\)`).ReplaceAllString(stderr, "(node)")
	stderr = regexp.MustCompile(`(?m)^node:internal/\S+\n.*\n *\^\n`).ReplaceAllString(stderr, "")
	var lines []string
	for line := range strings.Lines(stderr) {
		line = strings.TrimSuffix(strings.TrimRight(line, "\n"), " {")
		if !regexp.MustCompile(`^    at .*\(?node:(internal|diagnostics_channel)`).MatchString(line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
