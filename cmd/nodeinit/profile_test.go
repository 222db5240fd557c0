package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/admin"
	"github.com/nodeinit/nodeinit/supervisor"
)

func TestBusiest(t *testing.T) {
	t.Parallel()
	value := func(f float64) *float64 { return &f }
	worker := func(slot int, utilization, cpu *float64) admin.Worker {
		return admin.Worker{Slot: slot, PID: 10 + slot, Utilization: utilization, CPU: cpu}
	}
	waiting := admin.Worker{Slot: 9}
	for name, c := range map[string]struct {
		workers []admin.Worker
		want    int
	}{
		"none":                 {nil, 0},
		"one that waits":       {[]admin.Worker{waiting, worker(1, nil, nil)}, 1},
		"by its event loop":    {[]admin.Worker{worker(0, value(0.2), value(2)), worker(1, value(0.3), value(0.1)), worker(2, nil, value(3))}, 1},
		"by its CPU":           {[]admin.Worker{worker(0, value(1), value(0.5)), worker(1, value(1), value(0.9)), worker(2, value(1), nil)}, 1},
		"the first of equals":  {[]admin.Worker{worker(1, value(0), nil), worker(2, value(0), nil)}, 1},
		"no figures, in order": {[]admin.Worker{worker(3, nil, nil), worker(4, nil, nil)}, 3},
	} {
		if got := busiest(c.workers); got != c.want {
			t.Errorf("%s: slot %d, want %d", name, got, c.want)
		}
	}
}

func TestWorkerOf(t *testing.T) {
	t.Parallel()
	list := []supervisor.WorkerStatus{
		{Slot: 0, PID: 10}, {Slot: 0, PID: 11, Current: true}, {Slot: 0, PID: 12}, {Slot: 1, Current: true}, {Slot: 2, PID: 14, Current: true},
	}
	for slot, want := range map[int]int{0: 11, 1: 0, 2: 14, 3: 0} {
		pid := 0
		if w := workerOf(list, slot); w != nil {
			pid = w.PID
		}
		if pid != want {
			t.Errorf("slot %d: process %d, want %d", slot, pid, want)
		}
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	for want, got := range map[string][]byte{
		"\r10 s left\x1b[K":     appendProgress(nil, 9100*time.Millisecond, 0),
		"\r0 kB written\x1b[K":  appendProgress(nil, -time.Second, 0),
		"\r12 kB written\x1b[K": appendProgress(nil, time.Second, 12345),
	} {
		if string(got) != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	var out, terminal bytes.Buffer
	p := &progress{to: &out, takes: time.Second}
	p.end() // nothing is shown
	p.show(&terminal)
	p.show(&terminal)
	if _, err := p.Write([]byte("{}")); err != nil || out.String() != "{}" {
		t.Errorf("%q, %v", out.String(), err)
	}
	p.end()
	if got := terminal.String(); got != "\r1 s left\x1b[K\r\x1b[K" && got != "\r0 kB written\x1b[K\r\x1b[K" && got != "\r\x1b[K" {
		t.Errorf("%q", got)
	}
}
