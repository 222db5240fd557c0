package supervisor_test

import (
	"time"

	"github.com/nodeinit/nodeinit/supervisor"
)

// briefly counts crashes of one second.
func briefly(w *world) { auto(w); w.Crashes.Window = time.Second }

// Which worker counts as ready in another one's place, and what becomes of slots whose
// workers come and go.
var slotScenarios = []fleetScenario{
	{name: "a new one is ready when it listens on all that the old one has", set: auto, workers: 1, asks: "5s reload", signals: "30s TERM",
		play: "0 serves@100ms TERM+1s:0 | 0.2 owes@0s serves@100ms serves@5s settles@6s TERM+1s:0",
		want: "0s 0 starts, 5s 0.2 starts, 11s 0 TERM, 12s 0 released kept, 30s 0.2 TERM, 31s 0.2 released, 31s ends 0 requested, of 0 exit, starts 2 crashes 0",
		logs: `"msg":"worker listening","worker":0,"pid":102,"address":"0.0.0.0:3001"} ... "msg":"worker ready","worker":0,"pid":102,"ready_ms":6000} ... "msg":"worker leaving","worker":0,"pid":101`},
	{name: "or when its time is up", set: auto, workers: 1, asks: "5s reload", signals: "50s TERM",
		play: "0 serves@100ms TERM+1s:0 | 0.2 owes@0s serves@100ms TERM+1s:0",
		want: "0s 0 starts, 5s 0.2 starts, 35s 0 TERM, 36s 0 released kept, 50s 0.2 TERM, 51s 0.2 released, 51s ends 0 requested, of 0 exit, starts 2 crashes 0",
		logs: `"level":"warn","logger":"nodeinit","msg":"worker listens on less than the one before it","worker":0,"pid":102,"missing":["0.0.0.0:3001"]} ... "msg":"worker ready","worker":0,"pid":102,"ready_ms":30000}`},
	{name: "or 30 s after it listens, if there is no such time", set: func(w *world) { auto(w); w.Ready.When, w.Ready.Timeout = supervisor.ReadyListen, 0 },
		workers: 1, asks: "5s reload", signals: "80s TERM",
		play: "0 serves@100ms TERM+1s:0 | 0.2 owes@0s serves@20s TERM+1s:0",
		want: "0s 0 starts, 5s 0.2 starts, 55s 0 TERM, 56s 0 released kept, 1m20s 0.2 TERM, 1m21s 0.2 released, 1m21s ends 0 requested, of 0 exit, starts 2 crashes 0"},
	{name: "or when it says so", set: func(w *world) { auto(w); w.Ready.When = supervisor.ReadyMessage }, workers: 1, asks: "5s reload", signals: "30s TERM",
		play: "0 serves@100ms ready@200ms TERM+1s:0 | 0.2 owes@0s serves@100ms ready@200ms TERM+1s:0",
		want: "0s 0 starts, 5s 0.2 starts, 5.2s 0 TERM, 6.2s 0 released kept, 30s 0.2 TERM, 31s 0.2 released, 31s ends 0 requested, of 0 exit, starts 2 crashes 0"},

	{name: "a crash loop ends though the delays keep it below max-crashes", set: briefly, crashes: 6,
		play: "0 serves@100ms exit:3@1s | 0* exit:4@50ms | 1 serves@100ms TERM+1s:0",
		want: "0s 0 starts, 0s 1 starts, 1s 0 released kept, 1.1s 0.2 starts, 1.15s 0.2 released kept, 1.35s 0.3 starts, 1.4s 0.3 released kept, 1.8s 0.4 starts, 1.85s 0.4 released kept, 2.65s 0.5 starts, 2.7s 0.5 released kept, 4.3s 0.6 starts, 4.35s 0.6 released kept, 7.55s 0.7 starts, 7.6s 0.7 released kept, 14s 0.8 starts, 14.05s 1 TERM, 14.05s 0.8 released, 15.05s 1 released, 15.05s ends 4, of 0 exit, starts 9 crashes 8",
		logs: `"level":"error","logger":"nodeinit","msg":"crash loop","worker":0,"not_ready_ms":13050,"crash_window_ms":1000} ... "msg":"stopping","reason":"crash","worker":0`},
	{name: "a crash loop of those that are ready at once", set: func(w *world) { briefly(w); w.Ready.When = supervisor.ReadyNone }, crashes: 6, workers: 1,
		play: "0 exit:3@20s | * exit:4@50ms",
		want: "0s 0 starts, 20s 0 released kept, 20.1s 0.2 starts, 20.15s 0.2 released kept, 20.35s 0.3 starts, 20.4s 0.3 released kept, 20.8s 0.4 starts, 20.85s 0.4 released kept, 21.65s 0.5 starts, 21.7s 0.5 released kept, 23.3s 0.6 starts, 23.35s 0.6 released kept, 26.55s 0.7 starts, 26.6s 0.7 released kept, 33s 0.8 starts, 33.05s 0.8 released, 33.05s ends 4, of 0 exit, starts 8 crashes 8"},
	{name: "a crash loop of those that cannot be started", set: briefly, crashes: 6, workers: 1,
		play: "0 serves@100ms exit:3@1s | 0.2 fails:99",
		want: "0s 0 starts, 1s 0 released kept, 1.1s 0.2 not started, 1.3s 0.2 not started, 1.7s 0.2 not started, 2.5s 0.2 not started, 4.1s 0.2 not started, 7.3s 0.2 not started, 13.7s 0.2 not started, 13.7s starts 1 crashes 8: fork: out of processes"},
	{name: "two replacements may fail, however long it takes", set: briefly, crashes: 6, workers: 1,
		play: "0 serves@100ms exit:3@1s | 0.2 exit:4@15s | 0.3 exit:5@15s",
		want: "0s 0 starts, 1s 0 released kept, 1.1s 0.2 starts, 16.1s 0.2 released kept, 16.2s 0.3 starts, 31.2s 0.3 released, 31.2s ends 5, of 0 exit, starts 3 crashes 3"},
	{name: "no loop if they are of use in between", set: briefly, crashes: 6, workers: 1, signals: "20s TERM",
		play: "* serves@100ms exit:4@4s TERM+1s:0",
		want: "0s 0 starts, 4s 0 released kept, 4.1s 0.2 starts, 8.1s 0.2 released kept, 8.2s 0.3 starts, 12.2s 0.3 released kept, 12.3s 0.4 starts, 16.3s 0.4 released kept, 16.4s 0.5 starts, 20s 0.5 TERM, 20.4s 0.5 released, 20.4s ends 4 requested, of 0 exit, starts 5 crashes 4"},
	{name: "a reload that comes up ends the loop", set: briefly, crashes: 6, workers: 1, asks: "4s reload", signals: "30s TERM",
		play: "0 serves@100ms exit:3@1s | 0.2 serves@100ms exit:4@10s | 0.3 serves@2s exit:5@10s | 0.4 exit:6@1s | 0.5 exit:7@1s | 0.6 serves@100ms TERM+1s:0",
		want: "0s 0 starts, 1s 0 released kept, 1.1s 0.2 starts, 4s 0.3 starts, 6s 0.2 TERM, 11.1s 0.2 released kept, 14s 0.3 released kept, 14.1s 0.4 starts, 15.1s 0.4 released kept, 15.3s 0.5 starts, 16.3s 0.5 released kept, 16.7s 0.6 starts, 30s 0.6 TERM, 31s 0.6 released, 31s ends 0 requested, of 0 exit, starts 6 crashes 4"},
	{name: "nor does the old one go on with the loop then", set: briefly, crashes: 6, workers: 1, asks: "14500ms reload", signals: "30s TERM",
		play: "0 serves@100ms exit:3@1s | 0* exit:4@50ms | 0.8 serves@100ms faults@1s KILL+1s | 0.9 serves@1200ms TERM+1s:0",
		want: "0s 0 starts, 1s 0 released kept, 1.1s 0.2 starts, 1.15s 0.2 released kept, 1.35s 0.3 starts, 1.4s 0.3 released kept, 1.8s 0.4 starts, 1.85s 0.4 released kept, 2.65s 0.5 starts, 2.7s 0.5 released kept, 4.3s 0.6 starts, 4.35s 0.6 released kept, 7.55s 0.7 starts, 7.6s 0.7 released kept, 14s 0.8 starts, 14.5s 0.9 starts, 15s 0.8 KILL, 16s 0.8 released kept, 30s 0.9 TERM, 31s 0.9 released, 31s ends 0 requested, of 0 exit, starts 9 crashes 8"},

	{name: "one that has served and exits with 0 is replaced as if it had crashed", set: auto, crashes: 1, signals: "30s TERM",
		play: "0 serves@100ms exit:0@5s | " + usual,
		want: "0s 0 starts, 0s 1 starts, 5s 0 released kept, 5.1s 0.2 starts, 30s 0.2 TERM, 30s 1 TERM, 31s 0.2 released, 32s 1 released, 32s ends 0 requested, of 1 exit, starts 3 crashes 1",
		logs: `"level":"warn","logger":"nodeinit","msg":"worker ended","worker":0,"pid":101,"cause":"exit","status":0 ... "msg":"replacing worker","worker":0,"crashes":1,"max_crashes":1,"delay_ms":100}`},
	{name: "once too often", set: auto, crashes: 1,
		play: "0 serves@100ms exit:0@5s | 0.2 serves@100ms exit:0@5s | 1 serves@100ms TERM+1s:4",
		want: "0s 0 starts, 0s 1 starts, 5s 0 released kept, 5.1s 0.2 starts, 10.1s 1 TERM, 10.1s 0.2 released, 11.1s 1 released, 11.1s ends 0, of 0 exit, starts 3 crashes 2",
		logs: `"msg":"stopping","reason":"exit","worker":0`},
	{name: "or there is a warning", set: auto, signals: "30s TERM",
		play: "0 serves@100ms exit:0@5s | " + usual,
		want: "0s 0 starts, 0s 1 starts, 5s 0 released, 30s 1 TERM, 32s 1 released, 32s ends 0 requested, of 1 exit, starts 2 crashes 0",
		logs: `"msg":"worker exited by itself and is not replaced (--max-crashes)","worker":0,"pid":101,"left":1,"workers":2}`},
	{name: "one that never served has done its work", set: auto, crashes: 9,
		play: "0 exit:0@5s | 1 exit:0@6s",
		want: "0s 0 starts, 0s 1 starts, 5s 0 released, 6s 1 released, 6s ends 0, of 1 exit, starts 2 crashes 0"},
	{name: "and so has the last one", set: auto, crashes: 9,
		play: "0 exit:0@5s | 1 serves@100ms exit:0@6s",
		want: "0s 0 starts, 0s 1 starts, 5s 0 released, 6s 1 released, 6s ends 0, of 1 exit, starts 2 crashes 0"},
	{name: "all that serve exit with 0 at once, and are replaced", set: auto, crashes: 9, signals: "30s TERM",
		play: "0 serves@100ms exit:0@5s | 1 serves@100ms exit:0@5050ms | 0.2 serves@100ms TERM+1s:0 | 1.2 serves@100ms TERM+2s:0",
		want: "0s 0 starts, 0s 1 starts, 5s 0 released kept, 5.05s 1 released kept, 5.1s 0.2 starts, 5.15s 1.2 starts, 30s 0.2 TERM, 30s 1.2 TERM, 31s 0.2 released, 32s 1.2 released, 32s ends 0 requested, of 1 exit, starts 4 crashes 2"},
	{name: "exits with 0 while a new one starts", set: auto, crashes: 9, workers: 1, asks: "5s reload", signals: "30s TERM",
		play: "0 serves@100ms exit:0@6s | 0.2 serves@2s TERM+1s:0",
		want: "0s 0 starts, 5s 0.2 starts, 6s 0 released kept, 30s 0.2 TERM, 31s 0.2 released, 31s ends 0 requested, of 0 exit, starts 2 crashes 0"},

	{name: "a new one of a reload does not decide the status of a stop", set: auto, workers: 1, asks: "5s reload", signals: "6s TERM",
		play: "0 serves@100ms TERM+1s:0 | 0.2 serves@10s TERM+2s",
		want: "0s 0 starts, 5s 0.2 starts, 6s 0 TERM, 6s 0.2 TERM, 6s 0.2 disconnect, 7s 0 released kept, 8s 0.2 released, 8s ends 0 requested, of 0 exit, starts 2 crashes 0"},
	{name: "nor if the old one ends in the drain delay", set: func(w *world) { auto(w); w.Stop.Delay = 5 * time.Second }, workers: 1, asks: "5s reload", signals: "6s TERM",
		play: "0 serves@100ms exit:0@7s | 0.2 serves@10s TERM+2s:3",
		want: "0s 0 starts, 5s 0.2 starts, 7s 0 released kept, 11s 0.2 TERM, 11s 0.2 disconnect, 13s 0.2 released, 13s ends 0 requested, of 0 exit, starts 2 crashes 0"},

	{name: "recycled for memory, but the new one has as much", set: weighed, workers: 1, signals: "700s TERM",
		play: "* serves@100ms rss:110@0s TERM+1s:0",
		want: "0s 0 starts, 15s 0.2 starts, 15.1s 0 TERM, 16.1s 0 released kept, 10m40s 0.3 starts, 10m40.1s 0.2 TERM, 10m41.1s 0.2 released kept, 11m40s 0.3 TERM, 11m41s 0.3 released, 11m41s ends 0 requested, of 0 exit, starts 3 crashes 0",
		logs: `"msg":"recycling worker","worker":0,"pid":101,"why":"max_memory"} ... "level":"warn","logger":"nodeinit","msg":"a new worker has more than --max-memory allows","worker":0,"pid":102,"rss_bytes":110,"max_memory_bytes":100,"until_then_bytes":165,"next_try_ms":600000} ... "msg":"recycling worker","worker":0,"pid":102,"why":"max_memory"}`},
	{name: "one that grows by half is recycled all the same", set: weighed, workers: 1, signals: "200s TERM",
		play: "* serves@100ms rss:110@0s TERM+1s:0 | 0.2 serves@100ms rss:110@0s rss:166@61s TERM+1s:0",
		want: "0s 0 starts, 15s 0.2 starts, 15.1s 0 TERM, 16.1s 0 released kept, 1m30s 0.3 starts, 1m30.1s 0.2 TERM, 1m31.1s 0.2 released kept, 3m20s 0.3 TERM, 3m21s 0.3 released, 3m21s ends 0 requested, of 0 exit, starts 3 crashes 0"},
	{name: "one that takes its time to have too much is recycled each time", set: weighed, workers: 1, signals: "200s TERM",
		play: "* serves@100ms rss:110@71s TERM+1s:0",
		want: "0s 0 starts, 1m25s 0.2 starts, 1m25.1s 0 TERM, 1m26.1s 0 released kept, 2m50s 0.3 starts, 2m50.1s 0.2 TERM, 2m51.1s 0.2 released kept, 3m20s 0.3 TERM, 3m21s 0.3 released, 3m21s ends 0 requested, of 0 exit, starts 3 crashes 0"},
}
