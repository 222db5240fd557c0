package cluster

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"reflect"
	"slices"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// What an application can see says that it is a cluster worker, however it is
// written and started; what Node uses internally is gone.
func TestWorkersKnowTheirIdentity(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		app     app
		preload any
		args    []any
		node    []any
	}{
		"plain":        {app{file: "puppet.js"}, nil, []any{}, []any{}},
		"arguments":    {app{file: "puppet.js", args: []string{"--port", "a b", ""}}, nil, []any{"--port", "a b", ""}, []any{}},
		"module":       {app{file: "puppet.mjs"}, nil, []any{}, []any{}},
		"own primary":  {app{file: "branches.js"}, nil, []any{}, []any{}},
		"--import":     {app{file: "puppet.js", node: []string{"--import", "./testdata/cluster/preload.mjs"}}, object{"isWorker": true, "connected": true}, []any{}, []any{"--import", "preload.mjs"}},
		"--enable-foo": {app{file: "puppet.mjs", node: []string{"--enable-source-maps"}}, nil, []any{}, []any{"--enable-source-maps"}},
	} {
		t.Run(name, func(t *testing.T) {
			harness.UnderEach(t, primaries("rr"), func(t *testing.T, p harness.Primary) {
				c.app.workers = 2
				k := startCluster(t, p, c.app)
				ids := make(map[float64]bool)
				for _, w := range k.all(2) {
					var got map[string]any
					w.do("identity", nil, &got)
					id, _ := got["id"].(float64)
					if id < 1 || ids[id] {
						t.Errorf("worker %d has id %v, of another or none", w.Slot, got["id"])
					}
					ids[id] = true
					delete(got, "id")
					want := map[string]any{
						"isWorker": true, "isPrimary": false, "isMaster": false,
						"isConnected": true, "isDead": false, "isProcess": true, "exitedAfterDisconnect": nil, "workers": nil,
						"connected": true, "send": "function",
						"slot": fmt.Sprint(w.Slot), "slots": "2", "instance": fmt.Sprint(w.Slot), "internal": []any{},
						"preload": c.preload, "argv": c.args, "execArgv": c.node,
					}
					for key, value := range want {
						if !reflect.DeepEqual(got[key], value) {
							t.Errorf("worker %d sees %s %v, want %v", w.Slot, key, got[key], value)
						}
					}
					if len(got) != len(want) {
						t.Errorf("worker %d sees %v", w.Slot, slices.Collect(maps.Keys(got)))
					}
				}
				k.stop()
			})
		})
	}
}

// Whatever an application sends to its parent, its callback is called, it goes
// on, can serve, and gets no message that is not meant for it.
func TestTakesMessages(t *testing.T) {
	harness.UnderEach(t, primaries("rr", "shared"), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		workers := k.all(2)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		port := listener.Addr().(*net.TCPAddr).Port
		for _, w := range workers {
			w.do("listenForMessages", nil, nil)
			for _, value := range []string{`"ready"`, `"text\nof\u0000lines\ud83d\ude00"`, `42`, `-1e300`, `true`, `null`, `[]`, `{}`,
				`{"cmd":"NODE_UNKNOWN"}`, `{"cmd":"NODE_"}`, `{"cmd":7}`, `{"cmd":"NODE_CLUSTER","act":"unknown"}`, `{"a":[{"b":null}]}`} {
				w.do("send", object{"value": json.RawMessage(value)}, nil)
			}
			w.do("sendLong", object{"bytes": 1 << 20}, nil)
			for _, kind := range []string{"socket", "server", "dgram"} {
				w.do("sendHandle", object{"kind": kind, "host": "127.0.0.1", "port": port}, nil)
				if kind == "socket" {
					expectClosed(t, listener)
				}
			}
			w.do("send", object{"value": "after all that"}, nil)
			if err := w.try("send", object{}, nil); err == nil || err.Code != "ERR_MISSING_ARGS" {
				t.Errorf("worker %d sends nothing: %v", w.Slot, err)
			}
		}
		servesElsewhere(t, p, workers)
		for _, w := range workers {
			var got []any
			if w.do("messages", nil, &got); len(got) != 0 {
				t.Errorf("worker %d got messages %v", w.Slot, got)
			}
		}
		k.stop()
	})
}

// expectClosed waits until no process holds the other end of the next connection.
func expectClosed(t *testing.T, listener net.Listener) {
	t.Helper()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("read %d bytes (%v), want the end", n, err)
	}
}

// A worker that leaves sees what it sees under Node, ends with 0, and that is
// no crash: its peers serve on, and the end of all is status 0.
func TestWorkersLeave(t *testing.T) {
	t.Parallel()
	type seen struct {
		name string
		fact any // connected, or [status, exitedAfterDisconnect]
	}
	gone := []seen{{"worker disconnect", false}, {"process disconnect", false}}
	for way, want := range map[string][]seen{
		"process.disconnect": {{"worker disconnect", false}, {"exit", []any{0.0, nil}}},
		"worker.disconnect":  append(slices.Clone(gone), seen{"exit", []any{0.0, true}}),
		"worker.kill":        append(slices.Clone(gone), seen{"exit", []any{0.0, true}}),
		"worker.destroy":     append(slices.Clone(gone), seen{"exit", []any{0.0, true}}),
		"process.exit":       {{"exit", []any{0.0, nil}}},
	} {
		t.Run(way, func(t *testing.T) {
			harness.UnderEach(t, primaries("rr", "shared"), func(t *testing.T, p harness.Primary) {
				k := startCluster(t, p, twoPuppets())
				workers, port := k.all(2), harness.ReservePort(t)
				for _, w := range workers {
					w.listens(listenTo(port))
				}
				for i, w := range workers {
					w.do("leave", way, nil)
					var got []seen
					for range want {
						e := w.event()
						fact := e.Facts["connected"]
						if e.Event == "exit" {
							fact = []any{e.Facts["code"], e.Facts["voluntary"]}
						}
						got = append(got, seen{e.Event, fact})
					}
					if more := w.rest(); !reflect.DeepEqual(got, want) || len(more) != 0 {
						t.Errorf("worker %d saw %v and %v, want %v", w.Slot, got, more, want)
					}
					// Node loses what it passes to a worker that has just ended.
					abrupt := way == "process.exit" || way == "process.disconnect"
					if i == 0 && !(p.IsNode && abrupt) {
						expectServed(t, p, workers[1:], "tcp", fmt.Sprintf("127.0.0.1:%d", port))
					}
				}
				k.WaitCode(0)
			})
		})
	}
}

// A worker's own children have their own channel and are no workers.
func TestLeavesChildrenOfWorkersAlone(t *testing.T) {
	harness.UnderEach(t, primaries("rr"), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		for _, w := range k.all(2) {
			var got any
			w.do("family", nil, &got)
			want := object{"code": 0.0, "signal": nil, "seen": object{
				"question": "what do you see?", "isWorker": false, "internal": []any{}, "listens": true}}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("worker %d's child: %v, want %v", w.Slot, got, want)
			}
		}
		k.stop()
	})
}
