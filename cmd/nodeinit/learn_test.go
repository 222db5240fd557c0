package main

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/reaper"
)

// joinedSelf is a worker that this process has joined, with a command.
func joinedSelf(t *testing.T, command cluster.Command) *worker {
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
	w := &worker{child: &reaper.Child{PID: unix.Getpgrp()}}
	w.joined.below(w.child)
	w.joined.set(cluster.State{PID: os.Getpid(), Command: &command})
	t.Cleanup(w.joined.close)
	return w
}

// What a worker tells of its command may be anything.
func TestLearnsNoCommandWithoutAName(t *testing.T) {
	t.Parallel()
	f := new(fleet)
	if err := f.learn(joinedSelf(t, cluster.Command{Path: "/bin/true", Script: true})); err == nil || f.learned != nil {
		t.Errorf("learned %v", f.learned)
	}
}

// What a worker has told is known only after it may have been given up.
func TestJoinsNobodyWhoWasGivenUp(t *testing.T) {
	t.Parallel()
	w := joinedSelf(t, cluster.Command{})
	if pid, _ := w.joined.told(); pid != os.Getpid() {
		t.Fatalf("%d has joined", pid)
	}
	w.joined.close()
	w.joined.set(cluster.State{PID: os.Getpid()})
	if pid, _ := w.joined.told(); pid != 0 {
		t.Errorf("%d has joined a worker that was given up", pid)
	}
}
