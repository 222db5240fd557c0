package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const controlUsage = `Usage: bash bench/bench.sh control [FLAG...]

Asks a nodeinit with two workers over its control socket, many times, and shows what that leaves in it: memory,
threads, descriptors. Then it measures how long status and health take, idle and while wrk loads all CPUs, over
a connection and as a command.

`

// A controlSuite is the suite "control".
type controlSuite struct {
	nodeinit, node string
	requests       int
	samples        int
	load           time.Duration
	address        string // of the control socket
	pid            int
}

// measureControl runs the suite with the arguments that follow its name.
func measureControl(args []string, stderr io.Writer) error {
	var s controlSuite
	set := flag.NewFlagSet("bench control", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() { fmt.Fprint(stderr, controlUsage); set.PrintDefaults() }
	set.StringVar(&s.nodeinit, "nodeinit", "bin/nodeinit", "the nodeinit to measure")
	set.StringVar(&s.node, "node", "node", "the Node that it runs")
	set.IntVar(&s.requests, "requests", 100_000, "how many requests are made, of which one in ten is status")
	set.IntVar(&s.samples, "samples", 200, "how many answers are timed")
	set.DurationVar(&s.load, "load", 20*time.Second, "how long wrk runs, at most; 0: not at all")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	return s.run()
}

func (s *controlSuite) run() (err error) {
	port, err := freePort()
	if err != nil {
		return err
	}
	command := exec.Command(s.nodeinit, "--workers", "2", "--", s.node, "examples/server.js")
	command.Env = append(os.Environ(), "PORT="+port)
	if err := command.Start(); err != nil {
		return err
	}
	s.pid = command.Process.Pid
	defer func() {
		_ = command.Process.Signal(unix.SIGTERM)
		_ = command.Wait() // its status says nothing here
	}()
	info, err := os.Stat("/proc/self/ns/pid")
	if err != nil {
		return err
	}
	s.address = fmt.Sprintf("@nodeinit/%d/%d", info.Sys().(*syscall.Stat_t).Ino, s.pid)
	if err := s.awaitReady(); err != nil {
		return err
	}
	if err := s.flood(); err != nil {
		return err
	}
	return s.latencies("http://127.0.0.1:" + port + "/")
}

// freePort returns a TCP port that is free now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

func (s *controlSuite) awaitReady() error {
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); {
		if text, err := s.ask("health"); err == nil && strings.Contains(text, "2 of 2 workers ready") {
			return nil
		}
		<-time.After(50 * time.Millisecond)
	}
	return errors.New("the workers are not ready after a minute")
}

// ask returns the answer to one request.
func (s *controlSuite) ask(op string) (string, error) {
	conn, err := net.Dial("unix", s.address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, `{"version":1,"op":"`+op+`"}`+"\n"); err != nil {
		return "", err
	}
	text, err := io.ReadAll(conn)
	if err == nil && !strings.HasPrefix(string(text), `{"version":1,`) {
		err = fmt.Errorf("%s: %s", op, text)
	}
	return string(text), err
}

// flood prints what requests leave.
func (s *controlSuite) flood() error {
	fmt.Printf("| requests | resident | anonymous | threads | descriptors |\n|---|---|---|---|---|\n")
	next := 0
	for i := 0; ; i++ {
		if i == next || i == s.requests {
			row, err := processRow(s.pid)
			if err != nil {
				return err
			}
			fmt.Printf("| %d | %s |\n", i, row)
			next = max(10, 10*next)
		}
		if i == s.requests {
			return nil
		}
		op := "health"
		if i%10 == 9 {
			op = "status"
		}
		if _, err := s.ask(op); err != nil {
			return err
		}
	}
}

// processRow returns the cells of a table: resident and anonymous memory of a process, its
// threads and descriptors.
func processRow(pid int) (row string, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "", err
	}
	var cells []string
	for _, name := range []string{"VmRSS", "RssAnon", "Threads"} {
		_, text, _ := strings.Cut(string(status), "\n"+name+":")
		text, _, _ = strings.Cut(text, "\n")
		cells = append(cells, strings.TrimSpace(text))
	}
	descriptors, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return strings.Join(append(cells, strconv.Itoa(len(descriptors))), " | "), err
}

// latencies prints how long answers take, idle and under load.
func (s *controlSuite) latencies(url string) error {
	fmt.Printf("\n| | load | median | p99 | longest |\n|---|---|---|---|---|\n")
	if err := s.timeAnswers("none"); err != nil || s.load == 0 {
		return err
	}
	wrk := exec.Command("wrk", "-t2", "-c64", "-d"+strconv.Itoa(int(s.load.Seconds()))+"s", url)
	if err := wrk.Start(); err != nil {
		return err
	}
	defer func() {
		_ = wrk.Process.Kill()
		_ = wrk.Wait() // its figures are not wanted
	}()
	return s.timeAnswers("wrk, 64 connections")
}

func (s *controlSuite) timeAnswers(load string) error {
	for _, kind := range []string{"status", "health", "nodeinit status", "nodeinit health"} {
		ask := func() error { _, err := s.ask(kind); return err }
		samples := s.samples
		if op, isCommand := strings.CutPrefix(kind, "nodeinit "); isCommand {
			samples = max(1, samples/10)
			ask = func() error { return exec.Command(s.nodeinit, op, "--pid", strconv.Itoa(s.pid)).Run() }
		}
		times := make([]time.Duration, samples)
		for i := range times {
			start := time.Now()
			if err := ask(); err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
			times[i] = time.Since(start)
		}
		slices.Sort(times)
		at := func(share float64) time.Duration {
			return times[int(share*float64(samples-1))].Round(10 * time.Microsecond)
		}
		fmt.Printf("| %s | %s | %v | %v | %v |\n", kind, load, at(0.5), at(0.99), at(1))
	}
	return nil
}
