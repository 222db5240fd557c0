package main

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/reaper"
)

// joinedSelf is a process below which this one has joined, with a command.
func joinedSelf(t *testing.T, command cluster.Command) *process {
	t.Helper()
	for i := range 3 {
		var stat unix.Stat_t
		err := unix.Stat("/", &stat)
		if i > 0 {
			err = unix.Fstat(i, &stat)
		}
		if err != nil {
			t.Fatal(err)
		}
		command.Files = append(command.Files, node.FileID(stat))
	}
	p := new(process)
	p.follow(&reaper.Child{PID: unix.Getpgrp()}, nil)
	p.joined.set(cluster.State{PID: os.Getpid(), Command: &command})
	t.Cleanup(p.joined.close)
	return p
}

// A worker may report anything as its command.
func TestLearnsNoCommandWithoutAName(t *testing.T) {
	t.Parallel()
	s := new(starter)
	if err := s.learn(joinedSelf(t, cluster.Command{Path: "/bin/true", Script: true})); err == nil || s.learned != nil {
		t.Errorf("learned %v", s.learned)
	}
}

// A report may come after the worker has been released.
func TestNothingJoinsAReleasedWorker(t *testing.T) {
	t.Parallel()
	p := joinedSelf(t, cluster.Command{})
	if pid, _ := p.joined.reported(); pid != os.Getpid() {
		t.Fatalf("%d has joined", pid)
	}
	p.joined.close()
	p.joined.set(cluster.State{PID: os.Getpid()})
	if pid, _ := p.joined.reported(); pid != 0 {
		t.Errorf("%d has joined a worker that was released", pid)
	}
}
