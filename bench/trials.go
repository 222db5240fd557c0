package main

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/bench/server"
)

// Names of figures; a load's begin with the load's name.
const (
	perConn    = "new connections"
	keepAlive  = "keep-alive"
	blocked    = "blocked worker"
	rate       = ": requests/s"
	p99        = ": p99 (ms)"
	outsideCPU = ": CPU outside workers (s per million requests)"
	workersCPU = ": CPU of workers (s per million requests)"
	failed     = ": errors"
	elsewhere  = ": CPU of the rest of the machine (%)"
	outsideMiB = "memory outside workers (MiB)"
	allMiB     = "memory of all (MiB)"
	first      = "first answer (ms)"
	firstFault = "minor faults until the first answer"
	oneByOne   = "one after another"
	atOnce     = "all at once"
	fewest     = ": fewest connections of a worker"
	greatest   = ": most connections of a worker"
)

// settle is how long a server idles before its memory is read: time for the
// collectors of V8 and Go to give back what the load needed.
const settle = 2 * time.Second

// A bout is how long each part of a load takes.
type bout struct{ warm, measure time.Duration }

// with runs a contender with its workers listening.
func (c contender) with(workers int, run func(g *group) error, env ...string) error {
	g, err := c.start(workers, env...)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	err = g.awaitWorkers(workers)
	if err == nil {
		err = run(g)
	}
	return g.end(err)
}

// workersOf is how many of n workers a contender can have.
func (c contender) workersOf(n int) int {
	if c.single {
		return 1
	}
	return n
}

// connections measures a new connection for each request.
func (b bout) connections(c contender, f figures) error {
	return c.with(c.workersOf(2), func(g *group) error {
		return g.loaded(perConn, load{clients: server.Clients, perRequest: true}, b, f)
	})
}

// loads measures both loads and the memory after them.
func (b bout) loads(c contender, f figures) error {
	return c.with(c.workersOf(2), func(g *group) error {
		err := errors.Join(
			g.loaded(perConn, load{clients: server.Clients, perRequest: true}, b, f),
			g.loaded(keepAlive, load{clients: server.Clients}, b, f))
		if err != nil {
			return err
		}
		<-time.After(settle)
		outside, err := pss(g.others)
		if err != nil {
			return err
		}
		inside, err := pss(g.workers)
		if err != nil {
			return err
		}
		f.add(outsideMiB, c.name, outside)
		f.add(allMiB, c.name, outside+inside)
		return nil
	})
}

// blockedWorker measures four workers of which one is stuck most of the time. A
// load of 3 s is two of its turns, so that rounds can be compared.
func blockedWorker(c contender, f figures) error {
	return c.with(c.workersOf(4), func(g *group) error {
		return g.loaded(blocked, load{clients: 8, perRequest: true}, bout{time.Second, 3 * time.Second}, f)
	}, "BENCH_BLOCK=1")
}

// loaded measures one load.
func (g *group) loaded(name string, l load, b bout, f figures) (err error) {
	if g.sticky {
		if l.addrs, err = g.addrsOfWorkers(); err != nil {
			return err
		}
	}
	if _, err := l.run(b.warm); err != nil {
		return err
	}
	busy, err := busyTime()
	if err != nil {
		return err
	}
	began := time.Now()
	outside, inside, y, err := g.charged(l, b.measure)
	if err != nil {
		return err
	}
	took := time.Since(began)
	busyAfter, err := busyTime()
	if err != nil {
		return err
	}
	rest := busyAfter - busy - outside - inside - y.used
	f.add(name+elsewhere, g.name, max(0, rest.Seconds()/took.Seconds()/float64(runtime.NumCPU())*100))
	f.add(name+rate, g.name, y.perSecond())
	f.add(name+p99, g.name, y.P99/1000)
	f.add(name+outsideCPU, g.name, outside.Seconds()/y.Requests*1e6)
	f.add(name+workersCPU, g.name, inside.Seconds()/y.Requests*1e6)
	f.add(name+failed, g.name, y.Errors)
	return nil
}

// charged runs a load and returns the CPU time that it took outside the workers and
// in them.
func (g *group) charged(l load, d time.Duration) (outside, inside time.Duration, y yield, err error) {
	outside, err1 := cpuTimes(g.others)
	inside, err2 := cpuTimes(g.workers)
	y, err3 := l.run(d)
	outsideAfter, err4 := cpuTimes(g.others)
	insideAfter, err5 := cpuTimes(g.workers)
	return outsideAfter - outside, insideAfter - inside, y, errors.Join(err1, err2, err3, err4, err5)
}

// addrsOfWorkers returns an address for each worker that reaches it: from a
// single address, wrk would load a single worker.
func (g *group) addrsOfWorkers() (addrs []string, err error) {
	found := make(map[int]bool)
	for i := range server.Sources {
		from := server.Source(i)
		fd, err := server.Dial(from)
		if err != nil {
			return nil, err
		}
		pid, err := server.Ask(fd)
		unix.Close(fd)
		if err != nil {
			return nil, err
		}
		if !found[pid] {
			found[pid] = true
			addrs = append(addrs, fmt.Sprintf("%d.%d.%d.%d", from[0], from[1], from[2], from[3]))
		}
	}
	if len(addrs) != len(g.workers) {
		return nil, fmt.Errorf("%d addresses reach %d of %d workers", server.Sources, len(addrs), len(g.workers))
	}
	return addrs, nil
}

// firstAnswer measures the time from the start to the first answer with 200, and
// the minor faults of all processes until then.
func firstAnswer(c contender, f figures) error {
	g, err := c.start(c.workersOf(2))
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	err = server.Until(func() (bool, error) {
		fd, err := server.Dial([4]byte{127, 0, 0, 1})
		if err != nil {
			return false, nil // nothing listens yet
		}
		defer unix.Close(fd)
		_, err = server.Ask(fd)
		return err == nil, nil
	})
	took := time.Since(g.began)
	if err != nil {
		return g.end(err)
	}
	f.add(first, c.name, milliseconds(took))
	all, err := server.Descendants(g.cmd.Process.Pid)
	if err != nil {
		return g.end(err)
	}
	faults, err := minorFaults(all)
	if err == nil {
		f.add(firstFault, c.name, faults)
	}
	return g.end(err)
}
