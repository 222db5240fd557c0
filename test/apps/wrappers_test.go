package apps

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// A wrapped command runs the server of testdata/apps/wrappers, and what stands
// between.
type wrapped struct {
	argv     []string
	lines    bool   // it is run on each of nodeLines, not on one only
	since    string // the oldest of them that knows it; "" is the first
	npm      bool   // the server finds what npm tells of its package
	migrates bool   // a step before the server is run, once
	// In fork mode a stop may come before it is known which process listens. All
	// get the signal then, and this is what it may end with instead of 0.
	status []int
}

var wrappedCommands = []wrapped{
	{argv: []string{"npm", "start"}, npm: true},
	{argv: []string{"npm", "run", "two"}, lines: true, status: bySignal, npm: true, migrates: true},
	{argv: []string{"npm", "run", "hooked"}, status: bySignal, npm: true, migrates: true},
	{argv: []string{"npm", "run", "cross"}, status: bySignal, npm: true},
	{argv: []string{"yarn", "start"}, npm: true},
	{argv: []string{"yarn", "two"}, status: []int{1}, npm: true, migrates: true}, // yarn makes 1 of any signal
	{argv: []string{"pnpm", "start"}, npm: true},
	{argv: []string{"pnpm", "two"}, status: bySignal, npm: true, migrates: true},
	{argv: []string{"npx", "tsx", "server.ts"}, lines: true, status: bySignal, npm: true},
	{argv: []string{"node", "--run", "start"}, since: "22.0.0"},
	{argv: []string{"node", "--run", "two"}, lines: true, since: "22.0.0", status: bySignal, migrates: true},
	{argv: []string{"tsx", "server.ts"}, status: either}, // tsx passes the signal on once more
	{argv: []string{"cross-env", "A=1", "node", "server.js"}, status: bySignal},
	{argv: []string{"dotenv", "--", "node", "server.js"}, status: either},
	{argv: []string{"env-cmd", "-f", "/dev/null", "node", "server.js"}, status: either},
	{argv: []string{"sh", "-c", "node server.js"}},
	{argv: []string{"sh", "-c", "node migrate.js && node server.js"}, lines: true, status: bySignal, migrates: true},
	{argv: []string{"sh", "-c", "node migrate.js; exec node server.js"}, migrates: true},
	{argv: []string{"./server.js"}},
}

// Behind each wrapper all workers serve, each step before the server runs once,
// and a stop reaches the server, once, and leaves no process behind.
func TestWrappers(t *testing.T) {
	t.Parallel()
	dir := harness.AppDir(t, "wrappers")
	for _, version := range harness.NodeLines {
		for _, w := range wrappedCommands {
			if !w.lines && version != harness.ReferenceLine || slices.Index(harness.AllLines, version) < slices.Index(harness.AllLines, w.since) {
				continue
			}
			for mode, workers := range map[string]int{"fork": 1, "auto": 2} {
				t.Run(fmt.Sprintf("%s %s %s", version, mode, strings.Join(w.argv, " ")), func(t *testing.T) {
					t.Parallel()
					p := w.start(t, dir, version, mode, workers)
					w.serves(t, p, workers)
					p.Signal(unix.SIGTERM)
					w.ends(t, p, mode)
				})
			}
		}
	}
}

// Said explicitly, per-core starts all at once, wrapper and all.
func TestWrappersAllAtOnce(t *testing.T) {
	t.Parallel()
	w := wrapped{argv: []string{"sh", "-c", "node migrate.js && node server.js"}, status: bySignal}
	p := w.start(t, harness.AppDir(t, "wrappers"), harness.ReferenceLine, "per-core", 2)
	w.serves(t, p, 2)
	if n := strings.Count(p.Output(), "migrated\n"); n != 2 {
		t.Errorf("the step before the server ran %d times", n)
	}
	p.Signal(unix.SIGTERM)
	w.ends(t, p, "per-core")
}

// What comes in place of a worker behind a wrapper is started without it.
func TestWrappersStayOutOfReplacements(t *testing.T) {
	t.Parallel()
	w := wrapped{argv: []string{"npm", "run", "hooked"}, npm: true, migrates: true}
	p := w.start(t, harness.AppDir(t, "wrappers"), harness.ReferenceLine, "auto --reload-signal HUP --max-crashes 5", 2)
	w.serves(t, p, 2)
	p.Signal(unix.SIGHUP)
	harness.UntilLogged(t, p, "reload done")
	address, _ := harness.UntilLogged(t, p, "worker listening").Facts["address"].(string)
	_, _ = harness.Get("http://127.0.0.1" + strings.TrimPrefix(address, "*") + "/crash") // no answer
	harness.UntilLogged(t, p, "replacing worker")
	harness.WaitUntil(t, "five workers that were ready", func() bool { return strings.Count(p.Output(), `"msg":"worker ready"`) == 5 })
	p.Signal(unix.SIGTERM)
	if code := p.Wait().ExitStatus(); code != 0 {
		t.Errorf("ended with %d", code)
	}
	if n := strings.Count(p.Output(), "migrated\n"); n != 1 {
		t.Errorf("the step before the server ran %d times", n)
	}
}

// Where others cannot be started as the first was, it stays one process, and the
// log says why.
func TestWrappersThatCannotBeLeftOut(t *testing.T) {
	t.Parallel()
	dir := harness.AppDir(t, "wrappers")
	for _, c := range []struct {
		argv []string
		why  string
	}{
		{[]string{"sh", "-c", "node server.js | cat"}, "its standard output is another one"},
		{[]string{"sh", "-c", "umask 077; node server.js"}, "another Umask"},
		{[]string{"sh", "-c", "ulimit -c 0; ulimit -S -s 4096; node server.js"}, "another resource limit"},
		{[]string{"sh", "-c", `node -e 'process.argv[1] = "x"; require("./server.js")'; true`}, "given no script"},
		{[]string{"sh", "-c", "node --watch server.js; true"}, "so has to live"},
	} {
		t.Run(c.argv[2], func(t *testing.T) {
			t.Parallel()
			w := wrapped{argv: c.argv, status: either}
			p := w.start(t, dir, harness.ReferenceLine, "auto", 2)
			line := harness.UntilLogged(t, p, "staying one process")
			if why, _ := line.Facts["why"].(string); !strings.Contains(why, c.why) {
				t.Errorf("%q, want %q", why, c.why)
			}
			p.Signal(unix.SIGTERM)
			p.Wait()
			if n := strings.Count(p.Output(), `"msg":"worker started"`); n != 1 {
				t.Errorf("%d workers were started", n)
			}
		})
	}
}

// start starts w on a version of Node.
func (w wrapped) start(t *testing.T, dir, version, mode string, workers int) *testproc.Process {
	t.Helper()
	c := harness.UnderInit(fmt.Sprintf("--mode %s --workers %d", mode, workers), w.argv...)
	home := t.TempDir() // npm and its kind write there
	c = harness.WithEnv(c, "HOME="+home, "TMPDIR="+harness.ShortDir(t), "npm_config_update_notifier=false",
		"PATH="+strings.Join([]string{filepath.Dir(harness.NodeBinary(t, version)), filepath.Join(dir, "node_modules/.bin"), os.Getenv("PATH")}, ":"))
	c.Dir = dir
	return c.Start(t)
}

// serves checks that as many processes serve as there are to be workers.
func (w wrapped) serves(t *testing.T, p *testproc.Process, workers int) {
	t.Helper()
	var ports []string
	harness.WaitUntil(t, fmt.Sprintf("%d servers; so far\n%s", workers, p.Output()), func() bool {
		ports = nil
		for line := range strings.Lines(p.Output()) {
			if port, ok := strings.CutPrefix(line, "listening on "); ok && strings.HasSuffix(port, "\n") {
				ports = append(ports, strings.TrimSpace(port))
			}
		}
		if strings.Contains(p.Output(), `"msg":"exit"`) {
			t.Fatal("it has ended")
		}
		return len(ports) == workers
	})
	answers := make(map[string]int)
	for range 2 * workers {
		answer, err := harness.Get("http://127.0.0.1:" + ports[0])
		if err != nil {
			t.Fatal(err)
		}
		answers[answer]++
	}
	if len(answers) != workers {
		t.Fatalf("%d workers answered as %v", workers, answers)
	}
	for answer, times := range answers {
		_, about, _ := strings.Cut(answer, " ")
		want := strconv.FormatBool(workers > 1)
		if w.npm {
			want = "1.2.3 " + want
		} else {
			want = " " + want
		}
		if about != want || times != 2 {
			t.Errorf("%q, %d times; want %q, twice", about, times, want)
		}
	}
}

// ends checks that p ends, and how: with the last of its processes, so that
// none is left behind.
func (w wrapped) ends(t *testing.T, p *testproc.Process, mode string) {
	t.Helper()
	status := p.Wait()
	if code := status.ExitStatus(); code != 0 && (mode != "fork" || !slices.Contains(w.status, code)) {
		t.Errorf("ended with %d", code)
	}
	if n := strings.Count(p.Output(), "migrated\n"); w.migrates && n != 1 {
		t.Errorf("the step before the server ran %d times", n)
	}
	lines := harness.OwnLines(t, p.Output())
	if len(lines) == 0 {
		t.Fatal("nodeinit said nothing")
	}
	if last := lines[len(lines)-1]; last.Msg != "exit" || last.Facts["requested"] != true {
		t.Errorf("the last line is %v", last.Facts)
	}
	for _, line := range lines {
		if line.Level != "info" || strings.Contains(line.Msg, "left behind") {
			t.Errorf("%s: %v", line.Msg, line.Facts)
		}
	}
}
