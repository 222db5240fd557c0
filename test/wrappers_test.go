package test

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
)

// A wrapped command runs the server of testdata/apps/wrappers, and what stands
// between.
type wrapped struct {
	argv   []string
	since  string // the oldest of nodeLines that knows it; "" is the first
	status []int  // what it may end with when it is stopped
	npm    bool   // the server finds what npm tells of its package
}

// What a stop ends with. Where npm and its kind are left out, the server's own
// status counts. Where they are not, they get the signal too, as everybody in
// the group, and end by it or by themselves.
var wrappedCommands = []wrapped{
	{argv: []string{"npm", "start"}, status: byItself, npm: true},
	{argv: []string{"npm", "run", "two"}, status: bySignal, npm: true},
	{argv: []string{"npm", "run", "hooked"}, status: bySignal, npm: true},
	{argv: []string{"yarn", "start"}, status: byItself, npm: true},
	{argv: []string{"yarn", "two"}, status: []int{1}, npm: true}, // yarn makes 1 of any signal
	{argv: []string{"pnpm", "start"}, status: byItself, npm: true},
	{argv: []string{"pnpm", "two"}, status: bySignal, npm: true},
	{argv: []string{"npx", "tsx", "server.ts"}, status: bySignal, npm: true},
	{argv: []string{"node", "--run", "start"}, since: "22.0.0", status: byItself},
	{argv: []string{"node", "--run", "two"}, since: "22.0.0", status: bySignal},
	{argv: []string{"tsx", "server.ts"}, status: either}, // tsx passes the signal on once more
	{argv: []string{"sh", "-c", "node server.js"}, status: byItself},
	{argv: []string{"sh", "-c", "node migrate.js && node server.js"}, status: bySignal},
	{argv: []string{"./server.js"}, status: byItself},
}

// Behind each wrapper, in each mode and on each line of Node, all workers serve,
// and a stop ends them with the right status and leaves nobody behind.
func TestWrappers(t *testing.T) {
	t.Parallel()
	dir := sample{name: "wrappers"}.directory(t)
	for _, version := range nodeLines {
		for _, w := range wrappedCommands {
			if w.since != "" && slices.Index(nodeLines, version) < slices.Index(nodeLines, w.since) {
				continue
			}
			for mode, workers := range map[string]int{"fork": 1, "per-core": 2} {
				t.Run(fmt.Sprintf("%s %s %s", version, mode, strings.Join(w.argv, " ")), func(t *testing.T) {
					t.Parallel()
					p := w.start(t, dir, version, mode, workers)
					w.serves(t, p, workers)
					p.Signal(unix.SIGTERM)
					w.ends(t, p)
				})
			}
		}
	}
}

// start starts w on a version of Node.
func (w wrapped) start(t *testing.T, dir, version, mode string, workers int) *testproc.Process {
	t.Helper()
	c := underInit(fmt.Sprintf("--mode %s --workers %d", mode, workers), w.argv...)
	home := t.TempDir() // npm and its kind write there
	c = withEnv(c, "HOME="+home, "TMPDIR="+shortDir(t), "npm_config_update_notifier=false",
		"PATH="+strings.Join([]string{filepath.Dir(nodeBinary(t, version)), filepath.Join(dir, "node_modules/.bin"), os.Getenv("PATH")}, ":"))
	c.Dir = dir
	return c.Start(t)
}

// serves checks that as many processes serve as there are to be workers.
func (w wrapped) serves(t *testing.T, p *testproc.Process, workers int) {
	t.Helper()
	var ports []string
	waitUntil(t, fmt.Sprintf("%d servers; so far\n%s", workers, p.Output()), func() bool {
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
		answer, err := get("http://127.0.0.1:" + ports[0])
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
// nobody is left behind.
func (w wrapped) ends(t *testing.T, p *testproc.Process) {
	t.Helper()
	status := p.Wait()
	if !slices.Contains(w.status, status.ExitStatus()) {
		t.Errorf("ended with %d, want %v", status.ExitStatus(), w.status)
	}
	lines := ownLines(t, p.Output())
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
