package pid1

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// On a terminal each line has the time and a tag; a child is told of the colours that it
// could have used.
func TestLinesOnATerminal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		environ []string
		want    string
	}{
		"colours": {[]string{"TERM=xterm-256color"}, "\x1b[36mprogram  |\x1b[0m 2\r\n"},
		"none":    {[]string{"TERM=xterm-256color", "NO_COLOR=1"}, " program  | none\r\n"},
		"dumb":    {[]string{"TERM=dumb"}, " program  | none\r\n"},
		"forced":  {[]string{"TERM=dumb", "FORCE_COLOR=3"}, "\x1b[36mprogram  |\x1b[0m 3\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := harness.UnderInit("--logs lines", "sh", "-c", "echo ${FORCE_COLOR-none}; echo error >&2")
			command.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool {
				return regexp.MustCompile(`^(NO_COLOR|FORCE_COLOR|TERM|COLORTERM|NODE_DISABLE_COLORS|TMUX)=`).MatchString(kv)
			}), c.environ...)
			x := harness.OnTerminal(t, command, true)
			x.WaitCode(0)
			x.WaitFor("exit cause=exit")
			if !regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3} (\x1b\[36m)?program  \|(\x1b\[0m)? error\r$`).MatchString(x.Text()) || !strings.Contains(x.Text(), c.want) {
				t.Errorf("no %q, or no tag before error", c.want)
			}
		})
	}
}

// On a terminal all times are of the same zone: the local one, if the image knows TZ.
func TestTimesOnATerminalAreLocal(t *testing.T) {
	t.Parallel()
	own := regexp.MustCompile(`(?m)^(\d\d:\d\d:\d\d\.\d{3}) INF nodeinit (?:starting|exit) `)
	its := regexp.MustCompile(`text (\d\d:\d\d:\d\d\.\d{3})\r`)
	for _, form := range []string{"lines", "raw"} {
		for {
			c := harness.UnderInit("--logs "+form, "date", "+text %H:%M:%S.%3N")
			x := harness.OnTerminal(t, harness.WithEnv(c, "TZ=Asia/Kolkata"), true)
			x.WaitCode(0)
			x.WaitFor("exit cause=exit")
			first := own.FindAllStringSubmatch(x.Text(), -1)
			between := its.FindStringSubmatch(x.Text())
			if len(first) != 2 || between == nil {
				t.Fatalf("heard %q", x.Text())
			}
			start, program, exit := first[0][1], between[1], first[1][1]
			if start > exit {
				continue // midnight
			}
			if program < start || program > exit {
				t.Errorf("--logs %s: the program's %s is not between %s and %s", form, program, start, exit)
			}
			break
		}
	}
}

// By default a terminal is the program's own, so that prompts and colours are as before.
func TestTerminalIsTheProgramsByDefault(t *testing.T) {
	t.Parallel()
	x := harness.OnTerminal(t, harness.UnderInit("", "sh", "-c", "test -t 1 && test -t 2 && printf 'prompt> '"), true)
	x.WaitCode(0)
	x.WaitFor("exit cause=exit") // the start line may come after what the program writes
	if !regexp.MustCompile(`(?m)^prompt> `).MatchString(x.Text()) {
		t.Error("no prompt at the beginning of a line")
	}
}

// All lines are JSON where that is asked for, on a terminal too.
func TestJSONOnATerminal(t *testing.T) {
	t.Parallel()
	x := harness.OnTerminal(t, harness.UnderInit("--logs json", "echo", "text"), true)
	x.WaitCode(0)
	x.WaitFor(`"msg":"exit"`)
	for line := range strings.Lines(strings.ReplaceAll(x.Text(), "\r", "")) {
		if !json.Valid([]byte(line)) {
			t.Errorf("%q", line)
		}
	}
}
