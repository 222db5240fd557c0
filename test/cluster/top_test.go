package cluster

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hinshun/vt10x"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

const (
	topKeys  = "q quit  r reload  s sort: slot  h help" // the last row of top
	topAsks  = "reload? y/n"
	topGraph = "EVENT LOOP"
)

// startServed starts nodeinit with two workers that serve HTTP, and returns when they
// are ready. It is not PID 1: top runs beside it.
func startServed(t *testing.T) (init *testproc.Process, port int) {
	t.Helper()
	port = harness.ReservePort(t)
	init = harness.WithEnv(testproc.Command{
		Argv: []string{harness.Nodeinit, "--workers", "2", "--grace", "10m", "--", harness.NodeBinary(t, harness.NewestLine), "../../examples/server.js"},
	}, "PORT="+strconv.Itoa(port)).Start(t)
	harness.WaitUntil(t, "two workers", func() bool { return strings.Count(init.Output(), `"msg":"worker ready"`) == 2 })
	return init, port
}

// topOf is the command that shows init, in an environment of its own.
func topOf(init *testproc.Process, environ ...string) testproc.Command {
	return testproc.Command{
		Argv: []string{harness.Nodeinit, "top", "--pid", strconv.Itoa(init.PID)},
		Env:  slices.Concat([]string{"TERM=xterm-256color", "LANG=C.UTF-8"}, environ),
	}
}

// startTop starts top, and returns when it shows all that it has.
func startTop(t *testing.T, init *testproc.Process, columns, rows int, environ ...string) *harness.Screen {
	t.Helper()
	x := harness.OnScreen(t, topOf(init, environ...), columns, rows)
	x.Await(topGraph)
	return x
}

func TestTopKeys(t *testing.T) {
	t.Parallel()
	init, port := startServed(t)
	x := startTop(t, init, 80, 24)
	if e := x.Emulator(); e.CursorVisible() || e.Mode()&vt10x.ModeAltScreen == 0 {
		t.Error("a cursor, or the main screen")
	}
	if rows := x.Rows(); rows[23] != topKeys || !strings.HasPrefix(rows[0], "nodeinit") {
		t.Errorf("the first and the last row are %q, %q", rows[0], rows[23])
	}
	var before []string
	x.AwaitThat("both workers", func() bool { before = topWorkers(x.Rows()); return len(before) == 2 })

	// Requests of both workers show.
	x.AwaitThat("requests per second", func() bool {
		if _, err := harness.Get("http://" + harness.Local(port)); err != nil {
			t.Fatal(err)
		}
		return len(regexp.MustCompile(`(?m)[▂-█][▁-█]* [1-9]\d*$`).FindAllString(strings.Join(x.Rows(), "\n"), -1)) == 2
	})

	for _, order := range []string{"CPU", "memory", "loop", "requests/s", "slot"} {
		x.Type("s")
		x.Await("s sort: " + order + "  h help")
	}
	x.Type("h")
	x.Await("Any key goes back.")
	x.Type("\x1b[B") // no key
	x.Type("s")      // goes back, and does not sort
	x.Await(topGraph)
	x.Await(topKeys)
	x.Type("\x1b[A\x1bOs\x1b[1;5s")
	x.Type("r")
	x.Await(topAsks)
	x.Type("n")
	x.Await(topKeys)
	x.Type("ry") // as if it were pasted
	x.Await(topKeys)
	if text := init.Output(); strings.Contains(text, "reloading") {
		t.Errorf("reloads:\n%s", text)
	}
	x.Type("r")
	x.Await(topAsks)
	x.Type("y")
	x.Await("reload:")
	x.Await("reloaded 2 workers")
	x.AwaitThat("two other workers", func() bool {
		now := topWorkers(x.Rows())
		return len(now) == 2 && now[0] != before[0] && now[1] != before[1]
	})
	x.Type("r")
	x.Await(topAsks)
	x.Type("\x03") // leaves, whatever is asked
	x.WaitCode(0)
	x.ExpectRestored()
}

// topWorkers returns the process IDs of the workers that are ready, by slot.
func topWorkers(rows []string) (pids []string) {
	for _, row := range rows {
		if fields := strings.Fields(row); len(fields) > 2 && fields[2] == "ready" && fields[0] == strconv.Itoa(len(pids)) {
			pids = append(pids, fields[1])
		}
	}
	return pids
}

// top follows the size of the terminal.
func TestTopSizes(t *testing.T) {
	t.Parallel()
	init, _ := startServed(t)
	x := startTop(t, init, 0, 0)
	if rows := x.Rows(); rows[23] != topKeys {
		t.Errorf("in a terminal without a size the last row is %q", rows[23])
	}
	for _, size := range []struct {
		columns, rows int
		graphs        bool
	}{{200, 50, true}, {50, 24, true}, {40, 24, true}, {36, 24, false}, {30, 8, false}, {10, 2, false}, {80, 24, true}} {
		x.Resize(size.columns, size.rows)
		x.AwaitThat(fmt.Sprintf("the screen to fill %dx%d", size.columns, size.rows), func() bool {
			rows := x.Rows()
			keys := topKeys[:min(size.columns, len(topKeys))]
			return strings.TrimRight(keys, " ") == rows[size.rows-1] && x.Shows(topGraph) == size.graphs &&
				(size.rows < 8 || len(topWorkers(rows)) == 2)
		})
	}
	x.Type("q")
	x.WaitCode(0)
	x.ExpectRestored()
}

// However top ends, the terminal is as before.
func TestTopRestoresTheTerminal(t *testing.T) {
	t.Parallel()
	init, _ := startServed(t)
	ends := map[string]struct {
		end  func(x *harness.Screen)
		code int
	}{
		"q":       {func(x *harness.Screen) { x.Type("q") }, 0},
		"^C":      {func(x *harness.Screen) { x.Type("\x03") }, 0},
		"SIGINT":  {func(x *harness.Screen) { x.Signal(unix.SIGINT) }, 0},
		"SIGTERM": {func(x *harness.Screen) { x.Signal(unix.SIGTERM) }, 128 + int(unix.SIGTERM)},
		"SIGHUP":  {func(x *harness.Screen) { x.Signal(unix.SIGHUP) }, 128 + int(unix.SIGHUP)},
		"SIGQUIT": {func(x *harness.Screen) { x.Signal(unix.SIGQUIT) }, 128 + int(unix.SIGQUIT)},
	}
	for name, test := range ends {
		t.Run(name, func(t *testing.T) {
			x := startTop(t, init, 80, 24)
			test.end(x)
			x.WaitCode(test.code)
			x.ExpectRestored()
		})
	}
	t.Run("the server is killed", func(t *testing.T) {
		x, dumb := startTop(t, init, 80, 24), harness.OnScreen(t, topOf(init, "TERM=dumb"), 80, 24)
		dumb.Await("SLOT")
		init.Signal(unix.SIGKILL)
		_ = init.Wait()
		said := fmt.Sprintf("nodeinit: top: nodeinit (pid %d) has ended", init.PID)
		for _, x := range []*harness.Screen{x, dumb} {
			x.WaitCode(1)
			x.Await(said)
			x.ExpectRestored()
		}
	})
	t.Run("there is none", func(t *testing.T) {
		x := harness.OnScreen(t, topOf(init), 80, 24)
		x.WaitCode(1)
		x.Await("nodeinit: top: ")
		if strings.Contains(x.Text(), "\x1b") {
			t.Errorf("%q", x.Text())
		}
	})
}

// A shell suspends top and brings it back.
func TestTopUnderAShell(t *testing.T) {
	t.Parallel()
	init, _ := startServed(t)
	shell := testproc.Command{Argv: []string{"sh", "-i"}, Env: append(topOf(init).Env, "PS1=prompt> ", "PATH="+os.Getenv("PATH"))}
	x := harness.OnScreen(t, shell, 80, 24)
	x.Await("prompt>")
	x.Type(strings.Join(topOf(init).Argv, " ") + "\n")
	x.Await(topGraph)
	for _, key := range []string{"\x1a", ""} {
		if key == "" { // from outside
			top, err := harness.Run("pgrep", "-P", strconv.Itoa(x.PID))
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(top)
			if err != nil {
				t.Fatal(err)
			}
			if err := unix.Kill(pid, unix.SIGTSTP); err != nil {
				t.Fatal(err)
			}
		}
		x.Type(key)
		x.Await("Stopped")
		x.ExpectRestored()
		x.Type("fg\n")
		x.Await(topGraph)
		if x.Emulator().CursorVisible() {
			t.Error("a cursor after fg")
		}
		x.Type("s")
		x.Await("sort: CPU")
		x.Type("ssss")
		x.Await(topKeys)
	}
	x.Type("q")
	x.Await("prompt>")
	x.ExpectRestored()
	x.Type("exit 7\n")
	x.WaitCode(7)
}

// A terminal that takes no output holds up neither keys nor the end.
func TestTopOnATerminalThatStalls(t *testing.T) {
	t.Parallel()
	init, _ := startServed(t)
	master, tty := harness.OpenTerminal(t)
	defer master.Close()
	c := topOf(init)
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.Attr.Setsid, c.Attr.Setctty = true, true
	top := c.Start(t)
	tty.Close()
	if _, err := bufio.NewReader(master).ReadString('R'); err != nil { // of RESTARTS
		t.Fatal(err)
	}
	for range 1000 { // each has all written anew, until no more goes in
		if _, err := master.WriteString("\x0c"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := master.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	top.WaitCode(0)
}

func TestTopWithoutColours(t *testing.T) {
	t.Parallel()
	init, _ := startServed(t)
	styled := regexp.MustCompile(`\x1b\[[0-9;]*[1-9]m`)
	for _, test := range []struct {
		environ []string
		styled  bool
		graph   string
	}{
		{nil, true, `[▁-█]`},
		{[]string{"NO_COLOR=1"}, false, `[▁-█]`},
		{[]string{"LC_ALL=C"}, true, `\d  +[.:=+*#@-]+ \d+%`},
	} {
		x := startTop(t, init, 80, 24, test.environ...)
		x.AwaitThat("a graph", func() bool { return regexp.MustCompile(test.graph).MatchString(strings.Join(x.Rows(), "\n")) })
		x.Type("q")
		x.WaitCode(0)
		x.ExpectRestored()
		if styled.MatchString(x.Text()) != test.styled {
			t.Errorf("%q: styles %v: %q", test.environ, !test.styled, x.Text())
		}
		if strings.ContainsAny(x.Text(), "▁▂▃▄▅▆▇█") != (test.environ == nil || test.environ[0] != "LC_ALL=C") {
			t.Errorf("%q: %q", test.environ, x.Text())
		}
	}
}

// Without a terminal, or on one that can do nothing, the status is repeated, until
// nobody reads it.
func TestTopOfOtherKinds(t *testing.T) {
	t.Parallel()
	init, _ := startServed(t)
	t.Run("pipe", func(t *testing.T) {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		c := topOf(init)
		c.Stdout = write
		top := c.Start(t)
		write.Close()
		expectStatus(t, read)
		read.Close()
		if status := top.Wait(); !status.Signaled() || status.Signal() != unix.SIGPIPE {
			t.Errorf("ended with %#x, want SIGPIPE", status)
		}
	})
	// A shell has what it starts in the background ignore SIGINT, as would all that the tests start.
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, unix.SIGINT)
	defer signal.Stop(interrupted)
	for _, term := range []string{"TERM=dumb", "TERM="} {
		t.Run(term, func(t *testing.T) {
			x := harness.OnScreen(t, topOf(init, term), 80, 24)
			x.WaitForTimes(2, "SLOT")
			if strings.Contains(x.Text(), "\x1b") {
				t.Errorf("%q", x.Text())
			}
			x.Type("\x03")
			if status := x.Wait(); !status.Signaled() || status.Signal() != unix.SIGINT {
				t.Errorf("ended with %#x, want SIGINT", status)
			}
			x.ExpectRestored()
		})
	}
}

// expectStatus reads a status twice.
func expectStatus(t *testing.T, from *os.File) {
	t.Helper()
	lines := bufio.NewScanner(from)
	for range 2 {
		var seen []string
		for lines.Scan() && (len(seen) < 3 || lines.Text() != "" || !strings.HasPrefix(seen[len(seen)-1], "   1 ")) {
			seen = append(seen, lines.Text())
		}
		if len(seen) < 5 || !strings.HasPrefix(seen[0], "nodeinit ") || len(topWorkers(seen)) != 2 {
			t.Errorf("%q", seen)
		}
	}
}
