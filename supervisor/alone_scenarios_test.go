package supervisor_test

import (
	"time"

	"github.com/nodeinit/nodeinit/supervisor"
)

// alone has one worker start first.
func alone(w *world) {
	auto(w)
	w.Grow = func(*supervisor.Worker, int) string { return "" }
}

// refused has it stay alone.
func refused(w *world) {
	auto(w)
	w.Grow = func(*supervisor.Worker, int) string { return "it cannot be" }
}

// onTerminal has the worker of slot 0 hold the terminal.
func onTerminal(w *world) {
	alone(w)
	start := w.Start
	w.Start = func(slot, workers int) (*supervisor.Worker, error) {
		worker, err := start(slot, workers)
		if err == nil && slot == 0 {
			worker.HasTerminal = func() bool { return true }
		}
		return worker, err
	}
}

// lingersOnTerminal has stops wait, for ever if they are requested.
func lingersOnTerminal(w *world) {
	onTerminal(w)
	w.Stop.Delay, w.Stop.Grace = time.Minute, 0
}

const then = "40s 0 TERM, 40s 1 TERM, 41s 0 released, 42s 1 released, 42s ends 0 requested, of 1 exit, starts 2 crashes 0"

// One worker first.
var aloneScenarios = []fleetScenario{
	{name: "a job runs once, and its end is the end", set: alone, play: "0 exit:0@3s",
		want: "0s 0 starts, 3s 0 released, 3s ends 0, of 0 exit, starts 1 crashes 0"},
	{name: "a job that fails", set: alone, crashes: 5, play: "0 exit:3@3s",
		want: "0s 0 starts, 3s 0 released, 3s ends 3, of 0 exit, starts 1 crashes 1"},
	{name: "the others start when it asks for a server, before it listens", set: alone, signals: "40s TERM",
		play: "0 binds@5s serves@6s TERM+1s:0 | 1 serves@100ms TERM+2s:0",
		want: "0s 0 starts, 5s 1 starts, " + then,
		logs: `"msg":"starting the other workers","workers":2`},
	{name: "they start though it has been taken for ready", set: alone, signals: "40s TERM",
		play: "0 serves@35s TERM+1s:0 | 1 serves@100ms TERM+2s:0",
		want: "0s 0 starts, 35s 1 starts, " + then},
	{name: "all start at once after a resize, if they may", set: func(w *world) { alone(w); w.Target = w.limits }, workers: 1,
		asks: "1s target:2", signals: "40s TERM",
		play: "0 serves@100ms TERM+1s:0 | 1 serves@100ms TERM+2s:0",
		want: "0s 0 starts, 15s 1 starts, " + then},
	{name: "limits that change meanwhile", set: func(w *world) { alone(w); w.Target = w.limits },
		asks: "1s target:3", signals: "40s TERM",
		play: "0 serves@30s TERM+1s:0 | 1 serves@100ms TERM+2s:0 | 2 serves@100ms TERM+3s:0",
		want: "0s 0 starts, 30s 1 starts, 30s 2 starts, 40s 0 TERM, 40s 1 TERM, 40s 2 TERM, 41s 0 released, 42s 1 released, 43s 2 released, 43s ends 0 requested, of 2 exit, starts 3 crashes 0"},
	{name: "one that must stay alone does, whatever is asked", set: func(w *world) { refused(w); w.Target = w.limits },
		asks: "1s target:3, 30s scale:4", signals: "40s TERM", play: "0 serves@100ms TERM+1s:0",
		want: "0s 0 starts, 40s 0 TERM, 41s 0 released, 41s ends 0 requested, of 0 exit, starts 1 crashes 0",
		logs: `"level":"warn","logger":"nodeinit","msg":"staying one process","why":"it cannot be"} ... "msg":"scale refused"`},
	{name: "one with a socket of its own stays alone", set: func(w *world) { alone(w); w.Listens = func(*supervisor.Worker) bool { return true } },
		signals: "40s TERM", play: "0 TERM+1s:0",
		want: "0s 0 starts, 40s 0 TERM, 40s 0 disconnect, 41s 0 released, 41s ends 0 requested, of 0 exit, starts 1 crashes 0",
		logs: `"msg":"staying one process","why":"it listens on a socket of its own`},
	{name: "unless it asks later", set: func(w *world) { alone(w); w.Listens = func(*supervisor.Worker) bool { return true } },
		signals: "40s TERM", play: "0 serves@20s TERM+1s:0 | 1 serves@100ms TERM+2s:0",
		want: "0s 0 starts, 20s 1 starts, " + then},
	{name: "a job is not run a second time, by a reload or for its age", set: func(w *world) { aged(earliest)(w); alone(w) },
		asks: "5s reload, 35s reload", play: "0 exit:0@50s",
		want: "0s 0 starts, 50s 0 released, 50s ends 0, of 0 exit, starts 1 crashes 0",
		logs: `"level":"warn","logger":"nodeinit","msg":"reload refused" ... "msg":"reload refused"`},
	{name: "a second one that crashes before it was ready ends it all", set: alone, crashes: 5,
		play: "0 serves@5s TERM+1s:0 | 1 exit:3@1s",
		want: "0s 0 starts, 5s 1 starts, 6s 0 TERM, 6s 1 released, 7s 0 released, 7s ends 3, of 1 exit, starts 2 crashes 1"},
	{name: "a stop before it listens", set: alone, signals: "5s TERM", play: "0 serves@6s TERM+2s:0",
		want: "0s 0 starts, 5s 0 TERM, 5s 0 disconnect, 7s 0 released, 7s ends 0 requested, of 0 exit, starts 1 crashes 0"},
	{name: "^C ends the one that has the terminal, and then the others", set: onTerminal, crashes: 5,
		play: "0 serves@1s INT@9s | 1 serves@100ms INT+1s:0",
		want: "0s 0 starts, 1s 1 starts, 9s 0 released, 9s 1 INT, 10s 1 released, 10s ends 130 requested, of 0 signal, starts 2 crashes 0"},
	{name: "^C, and it ends well", set: onTerminal,
		play: "0 serves@1s exit:0@9s | 1 serves@100ms INT+1s:0",
		want: "0s 0 starts, 1s 1 starts, 9s 0 released, 9s 1 INT, 10s 1 released, 10s ends 0 requested, of 0 exit, starts 2 crashes 0"},
	{name: "the one that has the terminal ends by itself, and the others of the signal", set: onTerminal, crashes: 5,
		play: "0 serves@1s exit:0@9s | 1 serves@100ms INT+1s",
		want: "0s 0 starts, 1s 1 starts, 9s 0 released, 9s 1 INT, 10s 1 released, 10s ends 0 requested, of 0 exit, starts 2 crashes 0",
		logs: `"msg":"stopping","reason":"exit","worker":0,"signal":"SIGINT","grace_ms":9000}`},
	{name: "or with a status of their own", set: onTerminal,
		play: "0 serves@1s closes@8s exit:0@9s | 1 serves@100ms INT+1s:3",
		want: "0s 0 starts, 1s 1 starts, 9s 0 released, 9s 1 INT, 10s 1 released, 10s ends 0 requested, of 0 exit, starts 2 crashes 0"},
	{name: "or not before they are killed", set: lingersOnTerminal,
		play: "0 serves@1s exit:0@9s | 1 serves@100ms KILL+0s",
		want: "0s 0 starts, 1s 1 starts, 9s 0 released, 9s 1 INT, 18s 1 KILL, 18s 1 released, 18s ends 0 requested, of 0 exit, starts 2 crashes 0"},
	{name: "^C while another one waits for its next start", set: onTerminal, crashes: 5,
		play: "0 serves@1s INT@9s | 1 serves@100ms exit:3@7950ms",
		want: "0s 0 starts, 1s 1 starts, 8.95s 1 released kept, 9s 0 released, 9s ends 3 requested, of 1 exit, starts 2 crashes 1"},
	{name: "the one that has the terminal ends by itself, while another one waits for its next start", set: onTerminal, crashes: 5,
		play: "0 serves@1s exit:0@9s | 1 serves@100ms exit:3@7950ms",
		want: "0s 0 starts, 1s 1 starts, 8.95s 1 released kept, 9s 0 released, 9s ends 0 requested, of 0 exit, starts 2 crashes 1"},
}
