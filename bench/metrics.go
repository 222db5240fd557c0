package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/bench/server"
)

const metricsUsage = `Usage: bash bench/bench.sh metrics [FLAG...]

Scrapes the metrics of a nodeinit with eight workers, with the application's own (--metrics-app) and without,
once and a hundred times a second, and shows the CPU time of a scrape: what nodeinit and the workers use, less
what they use in the same time without scrapes. Then it scrapes a nodeinit with two workers many times, and
shows what that leaves in it: memory, threads, descriptors. At last it counts the requests per second of two
workers while a CPU profile of one of them is taken, and without, in turns.

`

// A metricsSuite is the suite "metrics".
type metricsSuite struct {
	nodeinit, node string
	workers        int
	duration       time.Duration
	scrapes        int
	rounds         int
	load           time.Duration
}

// measureMetrics runs the suite with the arguments that follow its name.
func measureMetrics(args []string, stderr io.Writer) error {
	var s metricsSuite
	set := flag.NewFlagSet("bench metrics", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() { fmt.Fprint(stderr, metricsUsage); set.PrintDefaults() }
	set.StringVar(&s.nodeinit, "nodeinit", "bin/nodeinit", "the nodeinit to measure")
	set.StringVar(&s.node, "node", "node", "the Node that it runs")
	set.IntVar(&s.workers, "workers", 8, "how many workers there are where the CPU time is measured")
	set.DurationVar(&s.duration, "duration", 30*time.Second, "how long they are scraped, for each row; 0: not at all")
	set.IntVar(&s.scrapes, "scrapes", 100_000, "how many scrapes are made to see what they leave; 0: none")
	set.IntVar(&s.rounds, "rounds", 7, "how often requests are counted with a profile and without; 0: not at all")
	set.DurationVar(&s.load, "load", 10*time.Second, "how long they are counted, in whole seconds")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	for _, part := range []func() error{s.compareScrapes, s.flood, s.compareProfiles} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// A scraped is a nodeinit that runs, and what it is asked for.
type scraped struct {
	cmd     *exec.Cmd
	port    int    // of the application
	metrics string // URL
	workers []int
}

// start starts a nodeinit whose workers are ready when it returns.
func (s *metricsSuite) start(workers int, flags ...string) (*scraped, error) {
	port, err1 := freePort()
	metricsPort, err2 := freePort()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	argv := append([]string{"--mode", "per-core", "--workers", strconv.Itoa(workers), "--log-level", "error", "--metrics", "127.0.0.1:" + metricsPort}, flags...)
	r := &scraped{cmd: exec.Command(s.nodeinit, append(argv, "--", s.node, "bench/testdata/metrics.js")...), metrics: "http://127.0.0.1:" + metricsPort + "/metrics"}
	r.port, _ = strconv.Atoi(port) // it is one
	r.cmd.Env = append(os.Environ(), "PORT="+port)
	r.cmd.Stderr = os.Stderr
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	if err := s.awaitReady(r, workers); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

// awaitReady waits until all workers are ready, without a scrape.
func (s *metricsSuite) awaitReady(r *scraped, workers int) (err error) {
	ready := fmt.Sprintf("%d of %d workers ready", workers, workers)
	for limit := time.Now().Add(time.Minute); ; <-time.After(100 * time.Millisecond) {
		text, _ := exec.Command(s.nodeinit, "health", "--pid", strconv.Itoa(r.cmd.Process.Pid)).Output()
		if strings.Contains(string(text), ready) {
			break
		}
		if time.Now().After(limit) {
			return errors.New("the workers are not ready after a minute")
		}
	}
	r.workers, err = server.Descendants(r.cmd.Process.Pid)
	r.workers = slices.DeleteFunc(r.workers, func(pid int) bool { return pid == r.cmd.Process.Pid })
	return err
}

func (r *scraped) stop() {
	_ = r.cmd.Process.Signal(unix.SIGTERM)
	_ = r.cmd.Wait() // its status says nothing here
}

// scrape returns what one scrape gives.
func (r *scraped) scrape() (string, error) {
	response, err := http.Get(r.metrics)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, text)
	}
	return string(text), err
}

// compareScrapes prints what scrapes cost.
func (s *metricsSuite) compareScrapes() error {
	if s.duration == 0 {
		return nil
	}
	fmt.Printf("| %d workers | scrapes/s | bytes | CPU of nodeinit (ms each) | CPU of all workers (ms each) | share of one CPU, both |\n|---|---|---|---|---|---|\n", s.workers)
	for _, flags := range [][]string{nil, {"--metrics-app", "/metrics"}} {
		r, err := s.start(s.workers, flags...)
		if err != nil {
			return err
		}
		err = r.printCosts(strings.Join(append([]string{"--metrics"}, flags...), " "), s.duration)
		r.stop()
		if err != nil {
			return err
		}
	}
	fmt.Println()
	return nil
}

// printCosts prints a row for each rate.
func (r *scraped) printCosts(name string, duration time.Duration) error {
	if _, err := r.costs(100, min(duration, 2*time.Second)); err != nil { // warm
		return err
	}
	idle, err := r.costs(0, duration)
	if err != nil {
		return err
	}
	for _, perSecond := range []int{1, 100} {
		c, err := r.costs(perSecond, duration)
		if err != nil {
			return err
		}
		if c.scrapes == 0 {
			return errors.New("-duration is too short for a scrape a second")
		}
		own, others := (c.own - idle.own).Seconds(), (c.workers - idle.workers).Seconds()
		n := float64(c.scrapes)
		fmt.Printf("| %s | %d | %d | %.2f | %.2f | %.2f%% |\n", name, perSecond, c.bytes, own*1000/n, others*1000/n, (own+others)*100/duration.Seconds())
	}
	return nil
}

// A cost is what some scrapes have used of the CPUs.
type cost struct {
	scrapes, bytes int
	own, workers   time.Duration
}

// costs scrapes so often a second for a while.
func (r *scraped) costs(perSecond int, duration time.Duration) (c cost, err error) {
	own, err1 := cpuTime(r.cmd.Process.Pid)
	workers, err2 := cpuTimes(r.workers)
	if err := errors.Join(err1, err2); err != nil {
		return c, err
	}
	end := time.After(duration)
	tick := make(<-chan time.Time) // none
	if perSecond > 0 {
		ticker := time.NewTicker(time.Second / time.Duration(perSecond))
		defer ticker.Stop()
		tick = ticker.C
	}
	for done := false; !done; {
		select {
		case <-tick:
			text, err := r.scrape()
			if err != nil {
				return c, err
			}
			c.scrapes++
			c.bytes = len(text)
		case <-end:
			done = true
		}
	}
	c.own, err1 = cpuTime(r.cmd.Process.Pid)
	c.workers, err2 = cpuTimes(r.workers)
	c.own -= own
	c.workers -= workers
	return c, errors.Join(err1, err2)
}

// flood prints what scrapes leave.
func (s *metricsSuite) flood() error {
	if s.scrapes == 0 {
		return nil
	}
	r, err := s.start(2, "--metrics-app", "/metrics")
	if err != nil {
		return err
	}
	defer r.stop()
	fmt.Printf("| scrapes | resident | anonymous | threads | descriptors |\n|---|---|---|---|---|\n")
	for i, next := 0, 0; ; i++ {
		if i == next || i == s.scrapes {
			row, err := processRow(r.cmd.Process.Pid)
			if err != nil {
				return err
			}
			fmt.Printf("| %d | %s |\n", i, row)
			next = max(10, 10*next)
		}
		if i == s.scrapes {
			fmt.Println()
			return nil
		}
		if _, err := r.scrape(); err != nil {
			return fmt.Errorf("scrape %d: %w", i, err)
		}
	}
}
