package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/bench/server"
)

// A contender is a command line under measurement, or the words in front of one.
type contender struct {
	name   string
	argv   func(workers int) []string
	env    []string
	sticky bool // gives all connections from an address to one worker
	single bool // has one worker, whatever is asked for
	piped  bool // writes to a pipe that is read all the time, as a container does, else to a file
}

const (
	nodeAlone   = "node alone"
	clusterRR   = "node:cluster rr" // what all are compared with
	clusterNone = "node:cluster none"
	pm2         = "pm2-runtime"
	ourRR       = "nodeinit rr"
	ourShared   = "nodeinit shared"
	ourPort     = "nodeinit reuseport"
	ourHash     = "nodeinit ip-hash"
	ourBare     = "nodeinit rr, no agent"
	ourBefore   = ourRR + before
)

// before ends the name of a contender that runs the earlier nodeinit.
const before = ", before"

// programs are the paths of what is compared.
type programs struct {
	node, pm2Runtime, nodeinit string
	earlier                    string   // an earlier nodeinit, "" for none
	bare                       string   // bench/bare
	nodes                      string   // the directory of Nodes, as test/nodes.sh makes it
	versions                   []string // of them
}

func (p programs) contenders() []contender {
	cluster := func(int) []string { return []string{p.node, "bench/testdata/cluster.js"} }
	all := []contender{
		fixed(nodeAlone, p.node, "bench/testdata/server.js"),
		{name: clusterRR, argv: cluster, env: []string{"NODE_CLUSTER_SCHED_POLICY=rr"}},
		{name: clusterNone, argv: cluster, env: []string{"NODE_CLUSTER_SCHED_POLICY=none"}},
		{
			name: pm2,
			argv: func(workers int) []string {
				return []string{p.node, p.pm2Runtime, "start", "bench/testdata/server.js", "-i", strconv.Itoa(workers)}
			},
			env: []string{"PM2_DISABLE_VERSION_CHECK=true"},
		},
	}
	for _, balance := range []string{"rr", "shared", "reuseport", "ip-hash"} {
		all = append(all, p.perCore("nodeinit "+balance, "--balance", balance))
	}
	all = append(all, p.perCore(ourBare, "--no-agent"))
	if p.earlier != "" {
		p.nodeinit = p.earlier // p is a copy
		all = append(all, p.perCore(ourBefore))
	}
	return all
}

// fixed is a contender with one command line and one worker.
func fixed(name string, argv ...string) contender {
	return contender{name: name, argv: func(int) []string { return argv }, single: true}
}

// perCore is nodeinit with these flags.
func (p programs) perCore(name string, flags ...string) contender {
	return contender{
		name: name,
		argv: func(workers int) []string {
			argv := append([]string{p.nodeinit, "--mode", "per-core", "--workers", strconv.Itoa(workers)}, flags...)
			return append(argv, "--", p.node, "bench/testdata/server.js")
		},
		sticky: name == ourHash,
	}
}

// A group is a contender that runs.
type group struct {
	contender
	cmd     *exec.Cmd
	began   time.Time
	dir     string // server.js leaves the workers' pids here
	log     string
	workers []int
	others  []int // the primary, and whatever else is no worker
}

// start starts a contender in an empty network. Nothing listens yet.
func (c contender) start(workers int, env ...string) (*group, error) {
	if err := server.NewNetwork(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "nodeinit-bench-")
	if err != nil {
		return nil, err
	}
	g := &group{contender: c, dir: filepath.Join(dir, "pids"), log: filepath.Join(dir, "log")}
	log, err := os.Create(g.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if err := os.Mkdir(g.dir, 0o700); err != nil {
		return nil, err
	}
	argv := c.argv(workers)
	g.cmd = exec.Command(argv[0], argv[1:]...)
	g.cmd.Stdout, g.cmd.Stderr = log, log
	if c.piped {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		defer w.Close()
		g.cmd.Stdout = w
		go func() { // until all that has w has ended
			_, _ = io.Copy(io.Discard, r)
			r.Close()
		}()
	}
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	g.cmd.Env = slices.Concat(os.Environ(), c.env, env, []string{
		"PORT=" + strconv.Itoa(server.Port), "BENCH_DIR=" + g.dir,
		"BENCH_WORKERS=" + strconv.Itoa(workers), "PM2_HOME=" + filepath.Join(dir, "pm2"),
	})
	g.began = time.Now()
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	return g, nil
}

// awaitWorkers waits until all workers listen and finds out which processes
// they are.
func (g *group) awaitWorkers(n int) error {
	err := server.Until(func() (bool, error) {
		entries, err := os.ReadDir(g.dir)
		g.workers = g.workers[:0]
		for _, entry := range entries {
			if pid, err := strconv.Atoi(entry.Name()); err == nil {
				g.workers = append(g.workers, pid)
			}
		}
		if err == nil && !server.Alive(g.cmd.Process.Pid) {
			err = errors.New("ended")
		}
		return len(g.workers) >= n, err
	})
	if err != nil {
		return fmt.Errorf("%d of %d workers listen: %w", len(g.workers), n, err)
	}
	all, err := server.Descendants(g.cmd.Process.Pid)
	if err != nil {
		return err
	}
	for _, pid := range all {
		if !slices.Contains(g.workers, pid) {
			g.others = append(g.others, pid)
		}
	}
	if len(all) != len(g.workers)+len(g.others) || len(g.workers) != n {
		return fmt.Errorf("workers %v are not %d of the processes %v", g.workers, n, all)
	}
	return nil
}

// end kills all of the group, parents first so that none is replaced, and
// waits until it is gone. It adds what the group said to an error.
func (g *group) end(cause error) error {
	_ = g.cmd.Process.Signal(unix.SIGSTOP) // or it starts a worker that is not in the list; may have ended by itself
	all, err := server.Descendants(g.cmd.Process.Pid)
	if err != nil {
		return errors.Join(cause, err)
	}
	for _, pid := range all {
		_ = unix.Kill(pid, unix.SIGKILL) // may have ended by itself meanwhile
	}
	_ = g.cmd.Wait() // its status says only that it was killed
	err = server.Until(func() (bool, error) { return !slices.ContainsFunc(all, server.Alive), nil })
	if cause != nil {
		said, _ := os.ReadFile(g.log)
		cause = fmt.Errorf("%s: %w; it said:\n%s", g.name, cause, said[max(0, len(said)-2000):])
	}
	return errors.Join(cause, err, os.RemoveAll(filepath.Dir(g.dir)))
}
