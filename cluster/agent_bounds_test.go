package cluster

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// Figures are within their bounds whatever the agent says, or other code in its place: they are
// computed with. What is no heartbeat leaves them as they were.
func TestHeartbeatIsWithinBounds(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	const longest = math.MaxInt64 / int64(time.Microsecond) * int64(time.Microsecond)
	for _, c := range []struct {
		fields string
		want   Loop
	}{
		{`"utilization":0.5,"p50":1,"p99":2,"heap":3`, Loop{0.5, 1000, 2000, 3}},
		{`"utilization":1.5`, Loop{Utilisation: 1}},
		{`"utilization":-1`, Loop{}},
		{`"utilization":1e308`, Loop{Utilisation: 1}},
		{`"utilization":-1e308`, Loop{}},
		{`"utilization":0.25,"p50":-5,"p99":-9223372036854775808,"heap":-1`, Loop{Utilisation: 0.25}},
		{`"p50":9223372036854775807,"p99":9223372036854776`, Loop{0, time.Duration(longest), time.Duration(longest), 0}},
		{`"p99":4611686018427387904`, Loop{DelayP99: time.Duration(longest)}},
		{`"heap":9223372036854775807`, Loop{Heap: maxCount}},
		{`"utilization":null,"p50":null,"heap":null`, Loop{}},
	} {
		m.send(`{"cmd":"NODE_NODEINIT","act":"heartbeat",%s}`, c.fields)
		if got := m.state().Loop; got != c.want {
			t.Errorf("%s: %+v, want %+v", c.fields, got, c.want)
		}
	}
	before := m.state()
	for _, fields := range []string{
		`"utilization":"0.5"`, `"utilization":1e999`, `"p50":1.5`, `"p50":9223372036854775808`, `"heap":{}`, `"utilization":0.5`[:10],
	} {
		m.send(`{"cmd":"NODE_NODEINIT","act":"heartbeat",%s}`, fields)
		if got := m.state(); got.Loop != before.Loop || !got.Heartbeat.Equal(before.Heartbeat) {
			t.Errorf("%s: %+v, want %+v", fields, got.Loop, before.Loop)
		}
	}
}

// Counts are whole numbers that JSON has everywhere, and where the last heartbeat has none
// nothing is counted.
func TestCountsAreWithinBounds(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	for _, c := range []struct {
		fields                string
		counted               bool
		connections, requests int64
	}{
		{`"utilization":0.5`, false, 0, 0},
		{`"connections":3,"requests":4`, true, 3, 4},
		{`"connections":0,"requests":0`, true, 0, 0},
		{`"connections":9007199254740993,"requests":9223372036854775807`, true, maxCount, maxCount},
		{`"connections":-1,"requests":4`, false, 0, 4},
		{`"connections":3,"requests":-9223372036854775808`, false, 3, 0},
		{`"connections":3`, false, 3, 0},
		{`"connections":null,"requests":null`, false, 0, 0}, // NaN and Infinity of JSON.stringify
		{`"connections":5,"requests":6`, true, 5, 6},
	} {
		m.send(`{"cmd":"NODE_NODEINIT","act":"heartbeat",%s}`, c.fields)
		if s := m.state(); s.Counted != c.counted || s.Connections != c.connections || s.Requests != c.requests {
			t.Errorf("%s: %v, %d, %d, want %+v", c.fields, s.Counted, s.Connections, s.Requests, c)
		}
	}
	for _, value := range []string{"1e400", "1.5", `"7"`, "NaN", "9223372036854775808", "{}"} {
		m.send(`{"cmd":"NODE_NODEINIT","act":"heartbeat","connections":1,"requests":%s}`, value)
		if s := m.state(); !s.Counted || s.Connections != 5 || s.Requests != 6 {
			t.Errorf("after %s: %v, %d, %d", value, s.Counted, s.Connections, s.Requests)
		}
	}
}

// Of the signals that an agent names the short ones among the first are known, the last list
// counts, and no list is none.
func TestHandledSignalsAreTheLastThatWereNamed(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	long := strings.Repeat("S", maxSignalName)
	many := make([]string, 2*maxHandles)
	for i := range many {
		many[i] = fmt.Sprintf("%q", fmt.Sprint("SIG", i))
	}
	for _, c := range []struct {
		list string
		want int
		has  string
	}{
		{`["SIGTERM"]`, 1, "SIGTERM"},
		{`["` + long + `"]`, 1, long},
		{`["` + long + `S"]`, 0, ""},
		{`["",null]`, 2, ""},
		{`[` + strings.Join(many, ",") + `]`, maxHandles, "SIG63"},
		{`[]`, 0, ""},
		{`null`, 0, ""},
	} {
		m.send(`{"cmd":"NODE_NODEINIT","act":"handles","handles":%s}`, c.list)
		got := m.state().Handles
		if len(got) != c.want || c.has != "" && !slices.Contains(got, c.has) {
			t.Errorf("%.80s: %d: %.80q", c.list, len(got), got)
		}
	}
	m.send(`{"cmd":"NODE_NODEINIT","act":"handles","handles":["SIGHUP"]}`)
	for _, list := range []string{`"SIGTERM"`, `[5]`, `{}`, `[["SIGTERM"]]`} {
		m.send(`{"cmd":"NODE_NODEINIT","act":"handles","handles":%s}`, list)
		if got := m.state().Handles; !slices.Equal(got, []string{"SIGHUP"}) {
			t.Errorf("%s: %q, want what was before", list, got)
		}
	}
}

// Each order goes to an agent that is there, with times in milliseconds, and to no other process.
func TestOrdersGoToAnAgent(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	order := func(act string, more object) map[string]any {
		all := map[string]any{"cmd": "NODE_NODEINIT", "act": act}
		for key, value := range more {
			all[key] = value
		}
		return all
	}
	give := func() {
		m.w.DisableKeepAlives()
		m.w.Finish(1500 * time.Millisecond)
		m.w.Watch("SIGUSR2", 2*time.Second, time.Minute)
	}
	give()
	m.state() // it has heard nothing of them
	m.hasAgent()
	give()
	m.expect(order("disableKeepAlives", nil))
	m.expect(order("finish", object{"limit": 1500.0}))
	m.expect(order("watch", object{"signal": "SIGUSR2", "soon": 2000.0, "late": 60000.0}))
	m.w.Watch("", 0, 0)
	m.expect(order("watch", object{"signal": "", "soon": 0.0, "late": 0.0}))
	m.w.Drain("SIG\"\\\n")
	m.expect(order("drain", object{"last": false, "signal": "SIG\"\\\n"}))
}

// An answer to an order counts until the next one is given: the one before may still come,
// and does not count twice.
func TestAnswerToAnOrderIsForgottenWithTheNext(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	m.hasAgent()
	m.send(`{"cmd":"NODE_NODEINIT","act":"finished"}`)
	m.send(`{"cmd":"NODE_NODEINIT","act":"serving"}`)
	if s := m.state(); !s.Finished || !s.Serving {
		t.Errorf("%+v", s)
	}
	m.w.Finish(time.Second)
	if s := inside(m.w.primary, func() State { return m.w.state.clone() }); s.Finished || !s.Serving {
		t.Errorf("after an order to finish: %+v", s)
	}
	m.w.Watch("SIGTERM", time.Second, 0)
	if s := inside(m.w.primary, func() State { return m.w.state.clone() }); s.Serving {
		t.Errorf("after an order to watch: %+v", s)
	}
	for _, act := range []string{"unknown", "", "Finished"} {
		m.send(`{"cmd":"NODE_NODEINIT","act":%q}`, act)
	}
	m.send(`{"cmd":"NODE_NODEINIT"}`)
	m.expect(map[string]any{"cmd": "NODE_NODEINIT", "act": "finish", "limit": 1000.0})
	m.receive() // watch
	if s := m.state(); s.Finished || s.Serving {
		t.Errorf("after what is no answer: %+v", s)
	}
}

// What a fork listens on is known once each, so many and no more.
func TestForkListensOnSoManyThatAreKnown(t *testing.T) {
	t.Parallel()
	m := newFakeWorkerOf(t, run(t, RR).OpenFork)
	for range 2 {
		for port := range maxListening + 10 {
			m.send(`{"cmd":"NODE_NODEINIT","act":"listening","address":null,"port":%d}`, port)
		}
	}
	m.send(`{"cmd":"NODE_NODEINIT","act":"listening","address":7,"port":"x"}`)
	m.send(`"ready"`)
	m.waitState("all of it", func(s State) bool { return s.Ready })
	got := m.state().Listening
	if len(got) != maxListening || got[0] != "*:0" || got[maxListening-1] != fmt.Sprint("*:", maxListening-1) {
		t.Errorf("%d: %q", len(got), got)
	}
}
