package main

import (
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/bench/server"
)

// spread measures how even 64 connections that stay open fall on 8 workers:
// where each is answered before the next is made, and where all are made before
// the first request. Each comes from an address of its own.
func spread(c contender, f figures) error {
	if c.name == nodeAlone {
		return nil
	}
	return c.with(8, func(g *group) error {
		for _, way := range []string{oneByOne, atOnce} {
			count, err := countAnswers(way == atOnce)
			if err != nil {
				return err
			}
			low, high := server.Sources, 0
			for _, pid := range g.workers {
				low, high = min(low, count[pid]), max(high, count[pid])
			}
			f.add(way+fewest, c.name, float64(low))
			f.add(way+greatest, c.name, float64(high))
		}
		return nil
	})
}

// countAnswers holds a connection from each source and counts the answers by the
// pid of their worker.
func countAnswers(dialFirst bool) (count map[int]int, err error) {
	count = make(map[int]int)
	var fds []int
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	asked := 0
	askRest := func() error {
		for ; asked < len(fds); asked++ {
			pid, err := server.Ask(fds[asked])
			if err != nil {
				return err
			}
			count[pid]++
		}
		return nil
	}
	for i := range server.Sources {
		fd, err := server.Dial(server.Source(i))
		if err != nil {
			return nil, err
		}
		fds = append(fds, fd)
		if !dialFirst {
			if err := askRest(); err != nil {
				return nil, err
			}
		}
	}
	return count, askRest()
}
