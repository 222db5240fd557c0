package test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// nodeLines are the versions of test/nodes.sh.
var nodeLines = []string{"18.20.8", "20.20.2", "22.0.0", "22.23.3", "24.0.0", "24.21.0", "26.10.0"}

// referenceLine is where the tests run under Node's own primary too, so that
// what they expect of nodeinit is what Node does.
const referenceLine = "22.23.3"

var primaryFlag = flag.String("primary", "both", "who leads the workers: nodeinit; node, on every line; or both: node on one line")

// A primary leads the workers of an application: nodeinit, or Node's own.
type primary struct {
	node    string // the version
	balance string
	isNode  bool // Node's own
}

func (p primary) String() string {
	if p.isNode {
		return "under node " + p.node + " " + p.balance
	}
	return p.node + " " + p.balance
}

// primaries are all that the command line asks for, with each of the balances.
// What a worker asks for, which is what differs between lines, it asks before it
// knows the balance: so rr runs on each line, and the others, which workers cannot
// tell from each other, on the first and the last.
func primaries(balances ...string) []primary {
	var list []primary
	for i, line := range nodeLines {
		for _, balance := range balances {
			isNodes := balance == "rr" || balance == "shared"
			if *primaryFlag != "node" && (balance == "rr" || i == 0 || i == len(nodeLines)-1) {
				list = append(list, primary{line, balance, false})
			}
			if isNodes && (*primaryFlag == "node" || *primaryFlag == "both" && line == referenceLine) {
				list = append(list, primary{line, balance, true})
			}
		}
	}
	return list
}

// underEach runs a test under each primary, at the same time.
func underEach(t *testing.T, list []primary, test func(t *testing.T, p primary)) {
	t.Parallel()
	for _, p := range list {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			test(t, p)
		})
	}
}

// nodeBinary is where test/nodes.sh has put a version.
func nodeBinary(t *testing.T, version string) string {
	t.Helper()
	cache := os.Getenv("NODEINIT_CACHE")
	if cache == "" {
		cache = filepath.Join(os.Getenv("HOME"), ".cache/nodeinit")
	}
	binary := filepath.Join(cache, "nodes", version, "bin/node")
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("%v; run test/nodes.sh", err)
	}
	return binary
}

// An app is an application and how many workers of it there are.
type app struct {
	workers int
	flags   string   // of nodeinit, split at spaces
	node    []string // of node, before the file
	file    string   // in testdata/cluster
	args    []string
	env     []string
	prefix  []string                // becomes the primary by exec
	change  func(*testproc.Command) // of how the primary starts
}

func twoPuppets() app { return app{workers: 2, file: "puppet.js"} }

// command is a primary with an app.
func (p primary) command(t *testing.T, a app) testproc.Command {
	t.Helper()
	dir, err := filepath.Abs("testdata/cluster")
	if err != nil {
		t.Fatal(err)
	}
	node, file := nodeBinary(t, p.node), filepath.Join(dir, a.file)
	c := testproc.Command{PID1: true}
	if p.isNode {
		settings, err := json.Marshal(map[string]any{"workers": a.workers, "balance": p.balance, "execArgv": append([]string{}, a.node...)})
		if err != nil {
			t.Fatal(err)
		}
		c.Argv = slices.Concat([]string{node, filepath.Join(dir, "primary.js"), string(settings), file}, a.args)
	} else {
		// No limit of nodeinit's decides, however slow the machine, but those that the test is about.
		flags := fmt.Sprintf("--mode per-core --workers %d --balance %s --grace 1h --ready-timeout 1h %s", a.workers, p.balance, a.flags)
		c = underInit(flags, slices.Concat([]string{node}, a.node, []string{file}, a.args)...)
	}
	return c
}

// A cluster is a primary with its workers, as their test sees them.
type cluster struct {
	*testproc.Process
	primary primary
	t       *testing.T
	hellos  chan *worker
}

// start starts an application that uses control.js.
func (p primary) start(t *testing.T, a app) *cluster {
	t.Helper()
	c := p.command(t, a)
	control, path := listenForWorkers(t)
	c = under(withEnv(c, slices.Concat(a.env, []string{"TEST_CONTROL=" + path})...), a.prefix...)
	if a.change != nil {
		a.change(&c)
	}
	k := &cluster{primary: p, t: t, hellos: make(chan *worker, 1024)}
	k.Process = c.Start(t)
	accepting := make(chan struct{})
	t.Cleanup(func() { control.Close(); <-accepting })
	go func() {
		defer close(accepting)
		for {
			conn, err := control.Accept()
			if err != nil {
				return
			}
			go k.follow(conn.(*net.UnixConn))
		}
	}()
	return k
}

// listenForWorkers makes the socket of control.js; its path is short enough.
func listenForWorkers(t *testing.T) (net.Listener, string) {
	t.Helper()
	dir := shortDir(t)
	control, err := net.Listen("unix", dir+"/control")
	if err != nil {
		t.Fatal(err)
	}
	return control, dir + "/control"
}

// shortDir is a directory whose paths fit into the address of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nodeinit")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// reservePort returns one outside the range that the kernel gives away, and of
// this test as long as it runs: the name of a socket is its lock.
func reservePort(t *testing.T) int {
	t.Helper()
	for port := 20000 + os.Getpid()%5000; port < 32000; port++ {
		lock, err := net.Listen("unix", fmt.Sprintf("@nodeinit-test-port-%d", port))
		if err != nil {
			continue
		}
		if !portIsFree(t, port) {
			lock.Close()
			continue
		}
		t.Cleanup(func() { lock.Close() })
		return port
	}
	t.Fatal("no port is free")
	return 0
}

// portIsFree reports whether nobody listens on port. It binds but does not
// listen: a process that is being started right now may hold a copy of what is
// closed here, for as long as it has not come to execve, and that would be in
// the way if it were a listener.
func portIsFree(t *testing.T, port int) bool {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		t.Fatal(err)
	}
	return unix.Bind(fd, &unix.SockaddrInet6{Port: port}) == nil
}

// ownLines are nodeinit's own lines among the output of its program.
func ownLines(t *testing.T, output string) []ownLine {
	t.Helper()
	var own strings.Builder
	for line := range strings.Lines(output) {
		if strings.Contains(line, `"logger":"nodeinit"`) {
			own.WriteString(line)
		}
	}
	return readLog(t, own.String())
}
