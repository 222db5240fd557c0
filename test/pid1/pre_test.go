package pid1

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// spoken are the lines of output that are not nodeinit's.
func spoken(output string) (lines []string) {
	for line := range strings.Lines(output) {
		if !strings.HasPrefix(line, "{") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// What is to run before the program runs once, in order and to its end. If one
// fails, that is the end, and the program is not started.
func TestRunsPreFirst(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flags []string
		want  []string
		code  int
		pre   string // what the exit report names
	}{
		"two":         {[]string{"--pre", "sh -c 'echo one; echo \"one, too\"'", "--pre", "echo two"}, []string{"one", "one, too", "two", "program"}, 0, ""},
		"workers":     {[]string{"--pre", "echo once", "--mode", "per-core", "--workers", "2"}, []string{"once", "program", "program"}, 0, ""},
		"one fails":   {[]string{"--pre", "sh -c 'exit 5'", "--pre", "echo never"}, nil, 5, "sh -c exit 5"},
		"one is none": {[]string{"--pre", "/no/such"}, nil, 127, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			argv := slices.Concat([]string{harness.Nodeinit}, c.flags, []string{"--", "sh", "-c", "echo program"})
			p := testproc.Command{Argv: argv, PID1: true}.Start(t)
			p.WaitCode(c.code)
			if got := spoken(p.Output()); !slices.Equal(got, c.want) {
				t.Errorf("heard %q, want %q", got, c.want)
			}
			lines := strings.Split(strings.TrimSpace(p.Output()), "\n")
			if last := lines[len(lines)-1]; strings.Contains(last, `"pre":"`+c.pre+`"`) != (c.pre != "") {
				t.Errorf("the last line is %s", last)
			}
		})
	}
}

// In the environment each line is a command, which may have commas in it.
func TestRunsPreOfTheEnvironment(t *testing.T) {
	t.Parallel()
	pre := "NODEINIT_PRE=\n  echo a,b\necho 'two\nlines' \\\n  in one\n\n"
	p := harness.WithEnv(harness.UnderInit("", "sh", "-c", "echo program"), pre).Start(t)
	p.WaitCode(0)
	if got, want := spoken(p.Output()), []string{"a,b", "two", "lines in one", "program"}; !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
}

// What runs before the program has the terminal, and gives it back: a program
// that is left in the background is suspended as soon as it reads.
func TestGivesTheTerminalBackAfterPre(t *testing.T) {
	t.Parallel()
	const pre = `sh -c 'read line; echo "$line before" >&3'`
	argv := slices.Concat([]string{harness.Nodeinit, "--log-level", "off", "--pre", pre, "--pre", pre, "--"}, testproc.Argv("lines"))
	x := harness.OnTerminal(t, testproc.Command{Argv: argv, PID1: true}, true)
	for range 2 {
		x.Type("hello\n")
		x.Expect("hello before")
	}
	_ = x.Line()
	x.Type("hello\n")
	x.Expect(`read "hello\n"`)
	x.Type("\x04")
	x.WaitCode(7)
}

// A stop goes to what runs before the program, which is not started then.
func TestStopsPre(t *testing.T) {
	t.Parallel()
	p := testproc.Command{
		Argv: []string{harness.Nodeinit, "--pre", `sh -c 'trap "exit 0" TERM; echo up; read line'`, "--", "sh", "-c", "echo program"},
		PID1: true,
	}.Start(t)
	harness.WaitUntil(t, "the first to be up", func() bool { return slices.Equal(spoken(p.Output()), []string{"up"}) })
	p.Signal(unix.SIGTERM)
	p.WaitCode(0)
	if got := spoken(p.Output()); !slices.Equal(got, []string{"up"}) {
		t.Errorf("heard %q after the stop", got)
	}
}
