package cluster

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// primaries are all that the command line asks for, with each of the balances.
// What a worker asks for, which is what differs between lines, it asks before it
// knows the balance: so rr runs on each line, shared on the first and the last, and the
// others, which workers cannot tell from these two, on the last.
func primaries(balances ...string) []harness.Primary {
	var list []harness.Primary
	for i, line := range harness.ReleaseLines {
		for _, balance := range balances {
			isNodes := balance == "rr" || balance == "shared"
			oldest := i == 0 && balance == "shared"
			if *harness.PrimaryFlag != "node" && (balance == "rr" || oldest || line == harness.NewestLine) {
				list = append(list, harness.Primary{Node: line, Balance: balance})
			}
			if isNodes && (*harness.PrimaryFlag == "node" || *harness.PrimaryFlag == "both" && line == harness.ReferenceLine) {
				list = append(list, harness.Primary{Node: line, Balance: balance, IsNode: true})
			}
		}
	}
	return list
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

// command is the app under a primary.
func (a app) command(t *testing.T, p harness.Primary) testproc.Command {
	t.Helper()
	dir, err := filepath.Abs("testdata/cluster")
	if err != nil {
		t.Fatal(err)
	}
	node, file := harness.NodeBinary(t, p.Node), filepath.Join(dir, a.file)
	c := testproc.Command{PID1: true}
	if p.IsNode {
		settings, err := json.Marshal(map[string]any{"workers": a.workers, "balance": p.Balance, "execArgv": append([]string{}, a.node...)})
		if err != nil {
			t.Fatal(err)
		}
		c.Argv = slices.Concat([]string{node, filepath.Join(dir, "primary.js"), string(settings), file}, a.args)
	} else {
		// No limit of nodeinit's decides, however slow the machine, but those that the test is about.
		flags := fmt.Sprintf("--mode per-core --workers %d --balance %s --grace 10m --ready-timeout 1h %s", a.workers, p.Balance, a.flags)
		c = harness.UnderInit(flags, slices.Concat([]string{node}, a.node, []string{file}, a.args)...)
	}
	return c
}

// A cluster is a primary with its workers, as their test sees them.
type cluster struct {
	*testproc.Process
	primary harness.Primary
	t       *testing.T
	hellos  chan *worker
}

// startCluster starts an application that uses control.js.
func startCluster(t *testing.T, p harness.Primary, a app) *cluster {
	t.Helper()
	c := a.command(t, p)
	control, path := listenForWorkers(t)
	c = harness.Under(harness.WithEnv(c, slices.Concat(a.env, []string{"TEST_CONTROL=" + path})...), a.prefix...)
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
	dir := harness.ShortDir(t)
	control, err := net.Listen("unix", dir+"/control")
	if err != nil {
		t.Fatal(err)
	}
	return control, dir + "/control"
}
