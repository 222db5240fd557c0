package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/bench/server"
)

// A logTool is a contender that passes on what writers write.
type logTool struct {
	contender
	filter bool // reads it from stdin, else it starts the writers
	files  bool // writes to files in its working directory, else to stdout
	stdout bool // the writers have to use process.stdout
	share  int  // how many times less it gets to do, 0 for as much as the others
}

// A logRun is a tool that runs with its writers, and a reader behind it.
type logRun struct {
	tool    logTool
	writers *writers
	cmds    []*exec.Cmd // the tool, then the writers it did not start
	others  []int       // the tool's processes, without the writers
	out     *os.File    // what the tool writes
	dir     string
	log     string
}

// startLogs starts a tool and waits for its writers.
func startLogs(tool logTool, node string, n int) (*logRun, error) {
	dir, err := os.MkdirTemp("/dev/shm", "nodeinit-bench-") // files cost no disk
	if err != nil {
		return nil, err
	}
	r := &logRun{tool: tool, dir: dir, log: filepath.Join(dir, "stderr")}
	if r.writers, err = listenForWriters(dir); err == nil {
		err = r.startAll(node, n)
	}
	if err == nil {
		err = r.writers.await(n, func() bool { return server.Alive(r.cmds[0].Process.Pid) })
	}
	if err == nil {
		err = r.findOthers()
	}
	if err != nil {
		return nil, r.end(err)
	}
	return r, nil
}

func (r *logRun) startAll(node string, n int) error {
	out, in, err := os.Pipe() // of 64 KiB, as Docker's
	if err != nil {
		return err
	}
	r.out = out
	defer in.Close()
	argv := r.tool.argv(n)
	if !r.tool.filter {
		return r.start("", nil, in, argv)
	}
	from, to := (*os.File)(nil), in
	if len(argv) > 0 {
		if from, to, err = os.Pipe(); err != nil {
			return err
		}
		defer from.Close()
		defer to.Close()
		dir := ""
		if r.tool.files {
			dir = r.dir
		}
		if err := r.start(dir, from, in, argv); err != nil {
			return err
		}
	}
	for range n {
		if err := r.start("", nil, to, []string{node, "bench/testdata/logs.js"}); err != nil {
			return err
		}
	}
	return nil
}

// start starts argv in a directory, "" for ours.
func (r *logRun) start(dir string, stdin, stdout *os.File, argv []string) error {
	log, err := os.OpenFile(r.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	if stdin != nil { // or it would be a file that is not there
		cmd.Stdin = stdin
	}
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, stdout, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	cmd.Env = slices.Concat(r.writers.environ(), r.tool.env, []string{"PM2_HOME=" + filepath.Join(r.dir, "pm2"), "BENCH_DIR=" + r.dir})
	if err := cmd.Start(); err != nil {
		return err
	}
	r.cmds = append(r.cmds, cmd)
	return nil
}

// findOthers finds the tool's processes. A filter is one, and none if there is nothing between the
// writers and the reader.
func (r *logRun) findOthers() error {
	first := r.cmds[0].Process.Pid
	all, err := server.Descendants(first)
	r.others = slices.DeleteFunc(all, func(pid int) bool { return slices.Contains(r.writers.pids, pid) })
	return err
}

// end kills what is left, waits for it, and adds what it said to an error.
func (r *logRun) end(cause error) error {
	if r.writers != nil {
		r.writers.close()
	}
	var all []int
	for _, cmd := range r.cmds {
		if cmd.ProcessState != nil {
			continue // waited for
		}
		_ = cmd.Process.Signal(unix.SIGSTOP) // or it starts another; may have ended by itself
		below, err := server.Descendants(cmd.Process.Pid)
		cause = errors.Join(cause, err)
		all = append(all, below...)
	}
	for _, pid := range all {
		_ = unix.Kill(pid, unix.SIGKILL) // may have ended by itself
	}
	for _, cmd := range r.cmds {
		_ = cmd.Wait() // its status says only that it was killed
	}
	err := server.Until(func() (bool, error) { return !slices.ContainsFunc(all, server.Alive), nil })
	if r.out != nil {
		r.out.Close()
	}
	if cause != nil {
		said, _ := os.ReadFile(r.log)
		cause = fmt.Errorf("%s: %w; it said:\n%s", r.tool.name, cause, said[max(0, len(said)-2000):])
	}
	return errors.Join(cause, err, os.RemoveAll(r.dir))
}

// A counter counts the lines that a tool has written by the "~" at the end of each.
type counter struct {
	lines atomic.Int64
	last  atomic.Int64  // when the last one came, in Unix nanoseconds
	moved chan struct{} // has something after more was counted
	ended chan struct{} // is closed with the tool's output
}

func countLogs(from io.Reader) *counter {
	c := &counter{moved: make(chan struct{}, 1), ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		buffer := make([]byte, 1<<20)
		for {
			n, err := from.Read(buffer)
			if found := bytes.Count(buffer[:n], []byte("~")); found > 0 {
				c.lines.Add(int64(found))
				c.last.Store(time.Now().UnixNano())
			}
			select {
			case c.moved <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	return c
}

// stalled is when a tool is taken to have lost what is missing.
const stalled = 10 * time.Second

// until waits until so many lines were counted, and returns how many.
func (c *counter) until(lines int64) int64 {
	for {
		if n := c.lines.Load(); n >= lines {
			return n
		}
		select {
		case <-c.moved:
		case <-c.ended:
			return c.lines.Load()
		case <-time.After(stalled):
			return c.lines.Load()
		}
	}
}

// A haul is what a tool did with what was written.
type haul struct {
	written
	took, cpu time.Duration
	arrived   int // lines; those of a tool that writes files are not counted
}

// measure has the writers write a little and then all of it.
func (r *logRun) measure(o order) (h haul, err error) {
	count := countLogs(r.out)
	warm := o
	warm.Bytes = o.Bytes / 8
	first, err := r.writers.write(warm)
	if err != nil {
		return h, err
	}
	if !r.tool.files {
		count.until(int64(first.Lines))
	}
	r.others = slices.DeleteFunc(r.others, func(pid int) bool { return !server.Alive(pid) }) // pm2 has some for a moment
	before, err := cpuTimes(r.others)
	if err != nil {
		return h, err
	}
	seen, began := count.lines.Load(), time.Now()
	if h.written, err = r.writers.write(o); err != nil {
		return h, err
	}
	if r.tool.files { // it has all only when it has ended
		r.writers.close()
		for _, cmd := range r.cmds {
			_ = cmd.Wait() // multilog's status means nothing here
		}
		h.took, h.arrived = time.Since(began), h.Lines
		state := r.cmds[0].ProcessState
		h.cpu = state.UserTime() + state.SystemTime() - before
		return h, nil
	}
	h.arrived = int(count.until(seen+int64(h.Lines)) - seen)
	h.took = time.Unix(0, count.last.Load()).Sub(began)
	after, err := cpuTimes(r.others)
	h.cpu = after - before
	return h, err
}
