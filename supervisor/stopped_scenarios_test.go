package supervisor_test

import "time"

// Workers that are stopped, by ^Z or a debugger.
var stoppedScenarios = []fleetScenario{
	{name: "one that is stopped is continued, to get the stop signal", grace: 9 * time.Second, signals: "5s TERM",
		play: "0 serves@100ms TERM+1s:0 | 1 serves@100ms stops@1s TERM+2s:0",
		want: twoStart + "5s 0 TERM, 5s 1 TERM, 5s 1 CONT, 6s 0 released, 7s 1 released, 7s ends 0 requested, of 1 exit, starts 2 crashes 0"},
	{name: "and so is one that may be", grace: 9 * time.Second, signals: "5s TERM",
		play: "0 serves@100ms TERM+1s:0 | 1 unseen serves@100ms TERM+2s:0",
		want: twoStart + "5s 0 TERM, 5s 1 TERM, 5s 1 CONT, 6s 0 released, 7s 1 released, 7s ends 0 requested, of 1 exit, starts 2 crashes 0"},
	{name: "with the group", grace: 9 * time.Second, group: true, workers: 1, signals: "5s TERM",
		play: "0 serves@100ms stops@1s TERM+1s:0",
		want: "0s 0 starts, 5s 0 TERM group, 5s 0 CONT group, 6s 0 released, 6s ends 0 requested, of 0 exit, starts 1 crashes 0"},
	{name: "the second stop signal continues, the third kills", grace: 9 * time.Second, workers: 1, signals: "5s TERM, 6s TERM, 7s TERM",
		play: "0 serves@100ms stops@1s stops@5500ms stops@6500ms KILL+0s",
		want: "0s 0 starts, 5s 0 TERM, 5s 0 CONT, 6s 0 TERM, 6s 0 CONT, 7s 0 TERM, 7s 0 KILL, 7s 0 released, 7s ends 137 requested stop_repeated, of 0 stop_repeated, starts 1 crashes 0"},
	{name: "one that is stopped does not hang, and its silence counts from then", set: watched, workers: 1,
		play: "0 serves@100ms beats:1s@3s stops@3500ms runs@19900ms ABRT+1s:134",
		want: "0s 0 starts, 23.5s 0 ABRT, 24.5s 0 released, 24.5s ends 134 hang, of 0 hang, starts 1 crashes 1"},
	{name: "and beats again", set: watched, workers: 1, signals: "30s TERM",
		play: "0 serves@100ms beats:1s@3s stops@3500ms runs@19900ms beat@21s beat@24s beat@27s TERM+1s:0",
		want: "0s 0 starts, 30s 0 TERM, 31s 0 released, 31s ends 0 requested, of 0 exit, starts 1 crashes 0"},
	{name: "one of which that is not known hangs", set: watched, workers: 1,
		play: "0 unseen serves@100ms beats:1s@3s ABRT+1s:134",
		want: "0s 0 starts, 7s 0 ABRT, 8s 0 released, 8s ends 134 hang, of 0 hang, starts 1 crashes 1"},
}
