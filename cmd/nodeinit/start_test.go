package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/plan"
)

// The primary forgets a process that could not be started: it expects no more of it.
func TestNotStartedIsReleased(t *testing.T) {
	t.Parallel()
	primary, err := cluster.New(cluster.RR)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- primary.Run(ctx) }()
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	s := &starter{run: &run{log: logs.New(io.Discard, logs.JSON, logs.LevelInfo, nil)}, primary: primary}
	s.plan.Mode = plan.PerCore
	missing := s.plan
	missing.Program = node.Program{Argv: []string{"/missing"}, Join: node.JoinDirect}
	if w, err := s.startProcess(missing, node.Slot{ID: 1, Workers: 1}); err == nil || w != nil {
		t.Fatalf("%v, %v: /missing was started", w, err)
	}

	// What the next worker of the slot has, all later ones there are to ask for.
	worker, end := openChannel(t, primary)
	path := filepath.Join(t.TempDir(), "socket")
	query := fmt.Sprintf(`{"cmd":"NODE_CLUSTER","act":"queryServer","seq":1,"address":%q,"port":-1,"addressType":-1,"index":0}`+"\n", path)
	if _, err := unix.Write(end, []byte(query)); err != nil {
		t.Fatal(err)
	}
	waitReport(t, primary, func(r cluster.Report) bool { return r.ID == worker.ID() && r.State.Servers == 1 })
	worker.Release(true)
	last, _ := openChannel(t, primary)
	for _, id := range waitReport(t, primary, func(r cluster.Report) bool { return r.ID == last.ID() && len(r.State.Awaited) == 1 }) {
		if id < worker.ID() {
			t.Errorf("worker %d, which was not started, is reported", id)
		}
	}
}

// openChannel opens the channel of a worker in slot 0.
func openChannel(t *testing.T, primary *cluster.Primary) (*cluster.Worker, int) {
	t.Helper()
	w, end, err := primary.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(end) })
	return w, end
}

// waitReport waits for a report, and returns the IDs of all up to it that are about
// a worker which is awaited to do something.
func waitReport(t *testing.T, primary *cluster.Primary, want func(cluster.Report) bool) (ids []int64) {
	t.Helper()
	limit := time.After(testproc.HangLimit)
	for found := false; !found; {
		select {
		case <-primary.Reported():
		case <-limit:
			t.Fatal("no such report")
		}
		for _, r := range primary.Reports() {
			if len(r.State.Awaited) > 0 {
				ids = append(ids, r.ID)
			}
			found = found || want(r)
		}
	}
	return ids
}
