package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"
)

const (
	profiled   = "with a CPU profile of one worker"
	unprofiled = "without"
)

// compareProfiles prints the requests per second of two workers while a profile of one is
// taken, and without, in an order that turns.
func (s *metricsSuite) compareProfiles() error {
	if s.rounds == 0 {
		return nil
	}
	r, err := s.start(2)
	if err != nil {
		return err
	}
	defer r.stop()
	f := make(figures)
	run := func(c contender, f figures) error {
		y, err := s.loadOnce(r, c.name == profiled)
		if err == nil {
			f.add(rate, c.name, y.perSecond())
		}
		return err
	}
	both := []contender{{name: unprofiled}, {name: profiled}}
	if err := (trial{name: "profile", rounds: s.rounds, run: run}).play(both, f); err != nil {
		return err
	}
	f.print("keep-alive, 32 clients, 2 workers", both, []column{
		{head: "requests/s", figure: rate},
		{head: "/ " + unprofiled, figure: rate, base: unprofiled},
	})
	return nil
}

// loadOnce puts load on the workers for a while; a profile takes as long, and one second
// more on each side.
func (s *metricsSuite) loadOnce(r *scraped, withProfile bool) (y yield, err error) {
	l := load{clients: 32, port: r.port}
	if !withProfile {
		return l.run(s.load)
	}
	file, err := os.CreateTemp("", "")
	if err != nil {
		return y, err
	}
	defer file.Close()
	profile := exec.Command(s.nodeinit, "profile", "cpu", "--worker", "0", "--seconds", strconv.Itoa(int(s.load.Seconds())+2), "--pid", strconv.Itoa(r.cmd.Process.Pid))
	profile.Stdout, profile.Stderr = file, os.Stderr
	if err := profile.Start(); err != nil {
		return y, err
	}
	<-time.After(time.Second) // it has begun
	y, err = l.run(s.load)
	if err := errors.Join(err, profile.Wait()); err != nil {
		return y, fmt.Errorf("profile: %w", err)
	}
	info, err := file.Stat()
	if err == nil && info.Size() == 0 {
		err = errors.New("the profile is empty")
	}
	return y, err
}
