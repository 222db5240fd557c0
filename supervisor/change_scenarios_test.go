package supervisor_test

import (
	"time"

	"github.com/nodeinit/nodeinit/supervisor"
)

// aged has workers live for 9 to 11 seconds, at the moment that spread says.
func aged(spread func(n int64) int64) func(*world) {
	return func(w *world) {
		auto(w)
		w.Recycle.MaxAge, w.Recycle.Spread = 10*time.Second, spread
	}
}

func latest(n int64) int64   { return n - 1 }
func earliest(n int64) int64 { return 0 }

func weighed(w *world) { auto(w); w.weighs(100) }
func limited(w *world) { auto(w); w.Target = w.limits }

func watched(w *world) {
	auto(w)
	w.Health.HangTimeout, w.Stop.Order = 4*time.Second, supervisor.SignalFirst
}

// Recycling, resizing and hanging.
var changeScenarios = []fleetScenario{
	{name: "too much memory in three looks", set: weighed, signals: "30s TERM",
		play: "0 serves@100ms rss:101@1s TERM+1s:0 | 0.2 serves@100ms rss:100@0s TERM+1s:0 | 1* serves@100ms rss:100@1s TERM+2s:0",
		want: twoStart + "15s 0.2 starts, 15.1s 0 TERM, 16.1s 0 released kept, 30s 0.2 TERM, 30s 1 TERM, 31s 0.2 released, 32s 1 released, 32s ends 0 requested, of 1 exit, starts 3 crashes 0",
		logs: `"msg":"recycling worker","worker":0,"pid":101,"why":"max_memory"} ... "msg":"worker leaving","worker":0,"pid":101,"why":"max_memory","order":"signal"`},
	{name: "too much memory, but not in three looks in a row", set: weighed, workers: 1, signals: "30s TERM",
		play: "0 serves@100ms rss:101@1s rss:99@12s rss:101@17s rss:100@28s TERM+1s:0",
		want: "0s 0 starts, 30s 0 TERM, 31s 0 released, 31s ends 0 requested, of 0 exit, starts 1 crashes 0"},
	{name: "two that take too much are recycled one after the other", set: weighed, signals: "30s TERM",
		play: "0 serves@100ms rss:101@1s TERM+3s:0 | 1 serves@100ms rss:102@1s TERM+2s:0 | 0.2 serves@100ms TERM+1s:0 | 1.2 serves@100ms TERM+2s:0",
		want: twoStart + "15s 0.2 starts, 15.1s 0 TERM, 18.1s 0 released kept, 18.1s 1.2 starts, 18.2s 1 TERM, 20.2s 1 released kept, " + lasts + "starts 4 crashes 0"},
	{name: "too old", set: aged(latest), workers: 1, signals: "30s TERM", play: usual,
		want: "0s 0 starts, 11s 0.2 starts, 11.1s 0 TERM, 12.1s 0 released kept, 22s 0.3 starts, 22.1s 0.2 TERM, 23.1s 0.2 released kept, 30s 0.3 TERM, 31s 0.3 released, 31s ends 0 requested, of 0 exit, starts 3 crashes 0",
		logs: `"msg":"recycling worker","worker":0,"pid":101,"why":"max_age"}`},
	{name: "too old, at the earliest", set: aged(earliest), signals: "17s TERM", play: usual,
		want: twoStart + "9s 0.2 starts, 9.1s 0 TERM, 10.1s 0 released kept, 10.1s 1.2 starts, 10.2s 1 TERM, 12.2s 1 released kept, 17s 0.2 TERM, 17s 1.2 TERM, 18s 0.2 released, 19s 1.2 released, 19s ends 0 requested, of 1 exit, starts 4 crashes 0"},
	{name: "the new one fails, and another one comes after a minute", set: aged(latest), workers: 1, signals: "75s TERM",
		play: "0.2 exit:3@1s | " + usual,
		want: "0s 0 starts, 11s 0.2 starts, 12s 0.2 released, 1m12s 0.3 starts, 1m12.1s 0 TERM, 1m13.1s 0 released kept, 1m15s 0.3 TERM, 1m16s 0.3 released, 1m16s ends 0 requested, of 0 exit, starts 3 crashes 1",
		logs: `"msg":"max_age failed","worker":0,"reason":"exit"}`},
	{name: "too old while it starts", set: aged(latest), workers: 1, signals: "20s TERM",
		play: "0 serves@12s TERM+1s:0 | 0.2 serves@1s TERM+2s:0",
		want: "0s 0 starts, 12s 0.2 starts, 13s 0 TERM, 14s 0 released kept, 20s 0.2 TERM, 22s 0.2 released, 22s ends 0 requested, of 0 exit, starts 2 crashes 0"},
	{name: "too old, but it has crashed meanwhile", set: aged(latest), crashes: 1, signals: "15s TERM",
		play: "0 serves@100ms exit:3@10950ms | 0.2 serves@100ms TERM+1s:0 | 1 serves@100ms TERM+2s:0 | 1.2 serves@100ms TERM+1500ms:0",
		want: twoStart + "10.95s 0 released kept, 11s 1.2 starts, 11.05s 0.2 starts, 11.1s 1 TERM, 13.1s 1 released kept, 15s 0.2 TERM, 15s 1.2 TERM, 16s 0.2 released, 16.5s 1.2 released, 16.5s ends 0 requested, of 1 exit, starts 4 crashes 1"},
	{name: "a reload makes young", set: aged(latest), workers: 1, asks: "10s reload", signals: "20s TERM", play: usual,
		want: "0s 0 starts, 10s 0.2 starts, 10.1s 0 TERM, 11.1s 0 released kept, 20s 0.2 TERM, 21s 0.2 released, 21s ends 0 requested, of 0 exit, starts 2 crashes 0"},

	{name: "more workers once the limits have said so three times", set: limited, workers: 1, asks: "7s target:3", signals: "40s TERM",
		play: "2 serves@100ms TERM+3s:0 | " + usual,
		want: "0s 0 starts, 20s 1 starts, 20.1s 2 starts, 40s 0 TERM, 40s 1 TERM, 40s 2 TERM, 41s 0 released, 42s 1 released, 43s 2 released, 43s ends 0 requested, of 2 exit, starts 3 crashes 0",
		logs: `"msg":"scaling","from":1,"to":3,"why":"limits"} ... "msg":"scaled","workers":3}`},
	{name: "limits that do not last", set: limited, workers: 1, asks: "7s target:3, 17s target:1, 22s target:2, 32s target:3, 42s target:0", signals: "60s TERM", play: usual,
		want: "0s 0 starts, 1m0s 0 TERM, 1m1s 0 released, 1m1s ends 0 requested, of 0 exit, starts 1 crashes 0"},
	{name: "fewer workers, but one at least", set: limited, workers: 3, asks: "7s target:0", signals: "30s TERM",
		play: "0* serves@100ms TERM+1s:0 | 1* serves@100ms TERM+2s:0 | 2* serves@100ms agent@0s leave+1s TERM+1s",
		want: "0s 0 starts, 0s 1 starts, 0s 2 starts, 20s 2 drain, 21s 2 TERM, 22s 2 released, 22s 1 TERM, 24s 1 released, 30s 0 TERM, 31s 0 released, 31s ends 0 requested, of 0 exit, starts 3 crashes 0",
		logs: `"msg":"scaling","from":3,"to":1,"why":"limits"} ... "msg":"worker leaving","worker":2,"pid":301,"why":"scale","order":"drain" ... "msg":"scaled","workers":1}`},
	{name: "one that takes too long to leave is killed", set: auto, asks: "5s scale:1", signals: "30s TERM",
		play: "1 serves@100ms KILL+0s | " + usual,
		want: twoStart + "5s 1 TERM, 14s 1 KILL, 14s 1 released, 30s 0 TERM, 31s 0 released, 31s ends 0 requested, of 0 exit, starts 2 crashes 0"},
	{name: "a new slot after a slot was given up", set: auto, asks: "5s scale:1, 10s scale:2", signals: "30s TERM", play: usual,
		want: twoStart + "5s 1 TERM, 7s 1 released, 10s 1.2 starts, 30s 0 TERM, 30s 1.2 TERM, 31s 0 released, 32s 1.2 released, 32s ends 0 requested, of 1 exit, starts 3 crashes 0"},
	{name: "the status of one that was sent away does not count", set: auto, asks: "5s scale:1", signals: "30s TERM",
		play: "1 serves@100ms TERM+1s:9 | " + usual,
		want: twoStart + "5s 1 TERM, 6s 1 released, 30s 0 TERM, 31s 0 released, 31s ends 0 requested, of 0 exit, starts 2 crashes 0"},
	{name: "the new one of a new slot fails, and another one comes after a minute", set: auto, asks: "5s scale:3", signals: "70s TERM",
		play: "2 exit:3@1s | 2.2 serves@100ms TERM+3s:0 | " + usual,
		want: twoStart + "5s 2 starts, 6s 2 released, 1m6s 2.2 starts, 1m10s 0 TERM, 1m10s 1 TERM, 1m10s 2.2 TERM, 1m11s 0 released, 1m12s 1 released, 1m13s 2.2 released, 1m13s ends 0 requested, of 2 exit, starts 4 crashes 1",
		logs: `"msg":"scale failed","worker":2,"reason":"exit"} ... "msg":"scaled","workers":3}`},
	{name: "or at once if another number is asked for", set: auto, asks: "5s scale:4, 10s scale:3", signals: "30s TERM",
		play: "2 fails:1 serves@100ms TERM+3s:0 | " + usual,
		want: twoStart + "5s 2 not started, 10s 2 starts, 30s 0 TERM, 30s 1 TERM, 30s 2 TERM, 31s 0 released, 32s 1 released, 33s 2 released, 33s ends 0 requested, of 2 exit, starts 3 crashes 0"},
	{name: "by hand the limits are not followed, until they are again", set: limited, workers: 1, asks: "2s scale:2, 7s target:3, 30s scale:0", signals: "40s TERM",
		play: "2 serves@100ms TERM+3s:0 | " + usual,
		want: "0s 0 starts, 2s 1 starts, 30s 2 starts, 40s 0 TERM, 40s 1 TERM, 40s 2 TERM, 41s 0 released, 42s 1 released, 43s 2 released, 43s ends 0 requested, of 2 exit, starts 3 crashes 0"},
	{name: "fewer workers during a reload", set: auto, workers: 3, asks: "5s reload, 5050ms scale:1", signals: "30s TERM",
		play: "2* serves@100ms TERM+3s:0 | " + usual,
		want: "0s 0 starts, 0s 1 starts, 0s 2 starts, 5s 0.2 starts, 5.1s 0 TERM, 6.1s 0 released kept, 6.1s 2 TERM, 9.1s 2 released, 9.1s 1 TERM, 11.1s 1 released, 30s 0.2 TERM, 31s 0.2 released, 31s ends 0 requested, of 0 exit, starts 4 crashes 0",
		logs: `"msg":"scaled","workers":1} ... "msg":"reload done","workers":1,`},
	{name: "more workers during a reload are new enough", set: auto, workers: 1, asks: "5s reload, 5050ms scale:2", signals: "30s TERM", play: usual,
		want: "0s 0 starts, 5s 0.2 starts, 5.1s 0 TERM, 6.1s 0 released kept, 6.1s 1 starts, 30s 0.2 TERM, 30s 1 TERM, 31s 0.2 released, 32s 1 released, 32s ends 0 requested, of 1 exit, starts 3 crashes 0"},
	{name: "the last one that serves is not sent away", set: lenient, crashes: 1, asks: "5s scale:1", signals: "30s TERM",
		play: "0 serves@100ms exit:3@4900ms | 0.2 serves@1900ms TERM+1s:0 | * serves@100ms TERM+2s:0",
		want: twoStart + "4.9s 0 released kept, 5s 0.2 starts, 6.9s 1 TERM, 8.9s 1 released, 30s 0.2 TERM, 31s 0.2 released, 31s ends 0 requested, of 0 exit, starts 3 crashes 1"},
	{name: "one that leaves by itself serves no more", set: auto, asks: "5s scale:1", signals: "30s TERM",
		play: "0 serves@100ms leaves@3s hangsup@3100ms TERM+1s:0 | 1 serves@100ms TERM+2s:0",
		want: twoStart + "30s 0 TERM, 30s 1 TERM, 30s 0 disconnect, 31s 0 released, 32s 1 released, 32s ends 0 requested, of 1 exit, starts 2 crashes 0"},
	{name: "a slot that waits is filled before it is given up", set: auto, crashes: 1, asks: "5s scale:1", signals: "30s TERM",
		play: "1 serves@100ms exit:3@4950ms | " + usual,
		want: twoStart + "4.95s 1 released kept, 5.05s 1.2 starts, 5.05s 1.2 TERM, 5.05s 1.2 disconnect, 7.05s 1.2 released, 30s 0 TERM, 31s 0 released, 31s ends 0 requested, of 0 exit, starts 3 crashes 1"},
	{name: "a slot whose worker is done is given up, and new after that", set: auto, asks: "5s scale:1, 10s scale:2", signals: "30s TERM",
		play: "1 serves@100ms exit:0@3s | " + usual,
		want: twoStart + "3s 1 released, 10s 1.2 starts, 30s 0 TERM, 30s 1.2 TERM, 31s 0 released, 32s 1.2 released, 32s ends 0 requested, of 1 exit, starts 3 crashes 0",
		logs: `"msg":"scaling","from":2,"to":1,"why":"asked"} ... "msg":"scaled","workers":1}`},
	{name: "a slot whose worker is done is not refilled by a resize", set: auto, asks: "5s scale:3", signals: "30s TERM",
		play: "1 serves@100ms exit:0@3s | " + usual,
		want: twoStart + "3s 1 released, 5s 2 starts, 30s 0 TERM, 30s 2 TERM, 31s 0 released, 32s 2 released, 32s ends 0 requested, of 2 exit, starts 3 crashes 0"},
	{name: "one that is about to be killed has crashed all the same, and the next one is sent away", set: auto, crashes: 1, asks: "5s scale:1", signals: "30s TERM",
		play: "1 serves@100ms faults@4900ms KILL+500ms | " + usual,
		want: twoStart + "4.9s 1 KILL, 5.4s 1 released kept, 5.5s 1.2 starts, 5.5s 1.2 TERM, 5.5s 1.2 disconnect, 7.5s 1.2 released, 30s 0 TERM, 31s 0 released, 31s ends 0 requested, of 0 exit, starts 3 crashes 1"},
	{name: "all are done before there are more", set: auto, workers: 1, asks: "1s scale:2",
		play: "0 serves@100ms exit:0@3s | 1 fails:1",
		want: "0s 0 starts, 1s 1 not started, 3s 0 released, 3s ends 0, of 0 exit, starts 1 crashes 0"},
	{name: "one crash too many before there are more", set: auto, workers: 1, crashes: 1, asks: "1s reload, 1100ms scale:2",
		play: "0 serves@100ms exit:3@2s | 0.2 exit:4@2s",
		want: "0s 0 starts, 1s 0.2 starts, 2s 0 released kept, 3s 0.2 released, 3s ends 4, of 0 exit, starts 2 crashes 2"},
	{name: "a stop during a resize", set: auto, workers: 1, asks: "5s scale:3", signals: "6s TERM",
		play: "1 binds@0s serves@3s TERM+2s:0 | " + usual,
		want: "0s 0 starts, 5s 1 starts, 6s 0 TERM, 6s 1 TERM, 7s 0 released, 8s 1 released, 8s ends 0 requested, of 0 exit, starts 2 crashes 0"},
	{name: "scale in fork mode, and while it stops", set: forked, workers: 1, asks: "3s scale:2, 5500ms scale:3", signals: "5s TERM", play: usual,
		want: "0s 0 starts, 5s 0 TERM, 6s 0 released, 6s ends 0 requested, of 0 exit, starts 1 crashes 0",
		logs: `"msg":"scale refused","why":"one process cannot share its port with others"}`},

	{name: "hangs", set: watched, crashes: 1, signals: "30s TERM",
		play: "0 serves@100ms beats:500ms@3s ABRT+1s | 0.2 serves@100ms TERM+1s:0 | 1* serves@100ms beats:1s@30s TERM+2s:0",
		want: twoStart + "7s 0 ABRT, 8s 0 released kept, 8.1s 0.2 starts, 30s 0.2 TERM, 30s 1 TERM, 31s 0.2 released, 32s 1 released, 32s ends 0 requested, of 1 exit, starts 3 crashes 1",
		logs: `"msg":"worker hangs","worker":0,"pid":101,"silent_ms":4000,"utilisation":0.5,"delay_p50_ms":1.5,"delay_p99_ms":20,"heap_bytes":4096} ... "level":"error","logger":"nodeinit","msg":"worker ended","worker":0,"pid":101,"cause":"hang","status":134,"signal":"SIGABRT"`},
	{name: "hangs, and SIGABRT does not end it", set: watched, workers: 1,
		play: "0 serves@100ms beats:500ms@3s KILL+0s",
		want: "0s 0 starts, 7s 0 ABRT, 12s 0 KILL, 12s 0 released, 12s ends 137 hang, of 0 hang, starts 1 crashes 1"},
	{name: "hangs, and exits with 0 for SIGABRT", set: watched, workers: 1, crashes: 1,
		play: "0 serves@100ms beats:500ms@3s ABRT+1s:0 | 0.2 exit:0@1s",
		want: "0s 0 starts, 7s 0 ABRT, 8s 0 released kept, 8.1s 0.2 starts, 9.1s 0.2 released, 9.1s ends 0, of 0 exit, starts 2 crashes 1"},
	{name: "has never beaten, has no channel any more, or beats just in time", set: watched, workers: 3, signals: "40s TERM",
		play: "0 serves@100ms TERM+1s:0 | 1 serves@100ms beats:1s@2s leaves@3s hangsup@3100ms TERM+2s:0 drain+9s:0 | 2 serves@100ms beats:3900ms@39s TERM+3s:0",
		want: "0s 0 starts, 0s 1 starts, 0s 2 starts, 40s 0 TERM, 40s 1 TERM, 40s 2 TERM, 40s 1 disconnect, 41s 0 released, 42s 1 released, 43s 2 released, 43s ends 0 requested, of 2 exit, starts 3 crashes 0"},
	{name: "silent because nodeinit was stopped", set: func(w *world) { watched(w); limited(w); w.stallFor(9*time.Second, 20*time.Second) }, workers: 1, signals: "50s TERM",
		play: "0 serves@100ms beats:1s@9s beat@31s beat@34s beat@37s beat@40s beat@43s beat@46s beat@49s TERM+1s:0",
		want: "0s 0 starts, 50s 0 TERM, 51s 0 released, 51s ends 0 requested, of 0 exit, starts 1 crashes 0"},
	{name: "silent after nodeinit was stopped", set: func(w *world) { watched(w); limited(w); w.stallFor(9*time.Second, 20*time.Second) }, workers: 1,
		play: "0 serves@100ms beats:1s@9s ABRT+0s",
		want: "0s 0 starts, 33s 0 ABRT, 33s 0 released, 33s ends 134 hang, of 0 hang, starts 1 crashes 1"},
	{name: "a new one hangs before it is ready", set: watched, workers: 1, asks: "5s reload", signals: "30s TERM",
		play: "0 serves@100ms TERM+1s:0 | 0.2 beat@1s ABRT+0s",
		want: "0s 0 starts, 5s 0.2 starts, 10s 0.2 ABRT, 10s 0.2 released, 30s 0 TERM, 31s 0 released, 31s ends 0 requested, of 0 exit, starts 2 crashes 1",
		logs: `"msg":"reload failed","worker":0,"reason":"hang"`},
	{name: "one that drains is not expected to beat", set: func(w *world) { watched(w); drainFirst(w) }, workers: 1, asks: "5s reload", signals: "30s TERM",
		play: "0 serves@100ms beats:1s@5s leave+8s TERM+1s:0 | 0.2 serves@100ms leave+1s TERM+1s:0",
		want: "0s 0 starts, 5s 0.2 starts, 5.1s 0 drain, 12.1s 0 TERM, 13.1s 0 released kept, 30s 0.2 drain, 31s 0.2 TERM, 32s 0.2 released, 32s ends 0 requested, of 0 exit, starts 2 crashes 0"},
	{name: "hangs in the drain delay, which is no crash", set: func(w *world) { watched(w); w.Stop.Delay = 10 * time.Second }, signals: "5s TERM",
		play: "0 serves@100ms beats:1s@3s ABRT+0s | 1 serves@100ms TERM+1s:0",
		want: twoStart + "7s 0 ABRT, 7s 0 released, 15s 1 TERM, 16s 1 released, 16s ends 134 requested hang, of 0 hang, starts 2 crashes 0"},
	{name: "a stop while one that hangs is aborted", set: watched, workers: 1, signals: "8s TERM, 9s TERM",
		play: "0 serves@100ms beats:1s@3s KILL+0s",
		want: "0s 0 starts, 7s 0 ABRT, 9s 0 TERM, 12s 0 KILL, 12s 0 released, 12s ends 137 requested hang, of 0 hang, starts 1 crashes 0"},
	{name: "the one before hangs while a new one starts", set: watched, workers: 1, crashes: 1, asks: "5s reload", signals: "30s TERM",
		play: "0 serves@100ms beats:1s@3s ABRT+3s | 0.2 serves@2500ms TERM+1s:0",
		want: "0s 0 starts, 5s 0.2 starts, 7s 0 ABRT, 10s 0 released kept, 30s 0.2 TERM, 31s 0.2 released, 31s ends 0 requested, of 0 exit, starts 2 crashes 1"},
	{name: "fork mode hangs", set: func(w *world) { watched(w); forked(w) }, workers: 1,
		play: "0 beats:1s@3s ABRT+1s",
		want: "0s 0 starts, 7s 0 ABRT, 8s 0 released, 8s ends 134 hang, of 0 hang, starts 1 crashes 1",
		logs: `"msg":"the program hangs","silent_ms":4000`},
}

// weighs gives workers so much memory, if it is not 0.
func (w *world) weighs(memory int64) {
	w.limit = memory
	if memory > 0 {
		w.Recycle.MaxMemory = func(int) int64 { return memory }
	}
}
