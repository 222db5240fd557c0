package supervisor_test

import "time"

const inTurn = "0* serves@100ms TERM+1s:0 | 1* serves@100ms TERM+2s:0 | 2* serves@100ms TERM+3s:0"

func often(w *world) { checked(2*time.Second, 3)(w) }

// Health checks: of two workers the first is checked at 100 ms, 2.1 s, 4.1 s, the second a
// second later.
var checkScenarios = []fleetScenario{
	{name: "one that fails is out of rotation until it passes", set: often, signals: "30s TERM",
		play: "0 serves@100ms sick@3s well@7s TERM+1s:0 | " + usual,
		want: twoStart + "4.1s 0 pause, 8.1s 0 unpause, 30s 0 TERM, 30s 1 TERM, 31s 0 released, 32s 1 released, 32s ends 0 requested, of 1 exit, starts 2 crashes 0",
		logs: `"level":"warn","logger":"nodeinit","msg":"worker unhealthy","worker":0,"pid":101,"path":"/healthz","error":"status 500"} ... "msg":"worker healthy","worker":0,"pid":101,"failures":2}`},
	{name: "and replaced if it goes on", set: often, signals: "30s TERM",
		play: "0 serves@100ms sick@3s TERM+1s:0 | " + usual,
		want: twoStart + "4.1s 0 pause, 8.1s 0.2 starts, 8.2s 0 TERM, 9.2s 0 released kept, 30s 0.2 TERM, 30s 1 TERM, 31s 0.2 released, 32s 1 released, 32s ends 0 requested, of 1 exit, starts 3 crashes 0",
		logs: `"msg":"recycling worker","worker":0,"pid":101,"why":"health","error":"status 500","failures":3} ... "msg":"worker leaving","worker":0,"pid":101,"why":"health"`},
	{name: "one that does not answer", set: often, signals: "30s TERM",
		play: "0 serves@100ms mute@3s TERM+1s:0 | " + usual,
		want: twoStart + "6.1s 0 pause, 10.1s 0.2 starts, 10.2s 0 TERM, 11.2s 0 released kept, 30s 0.2 TERM, 30s 1 TERM, 31s 0.2 released, 32s 1 released, 32s ends 0 requested, of 1 exit, starts 3 crashes 0",
		logs: `"error":"no answer"`},
	{name: "one that takes long is asked no more often, and no worse", set: often, signals: "15s TERM",
		play: "0 serves@100ms answer+1900ms TERM+1s:0 | 1 serves@100ms sick@3s well@5500ms TERM+2s:0",
		want: twoStart + "3.1s 1 pause, 7.1s 1 unpause, 15s 0 TERM, 15s 1 TERM, 16s 0 released, 17s 1 released, 17s ends 0 requested, of 1 exit, starts 2 crashes 0"},
	{name: "none is out of rotation, or replaced, as long as all fail", set: often, signals: "60s TERM",
		play: "0 serves@100ms sick@3s well@40s TERM+1s:0 | 1 serves@100ms sick@3s well@43s TERM+2s:0",
		want: twoStart + "3.1s 1 pause, 4.1s 1 unpause, 41.1s 1 pause, 43.1s 1 unpause, 1m0s 0 TERM, 1m0s 1 TERM, 1m1s 0 released, 1m2s 1 released, 1m2s ends 0 requested, of 1 exit, starts 2 crashes 0",
		logs: `"msg":"no worker is healthy","workers":2}`},
	{name: "nor the only one", set: often, workers: 1, signals: "30s TERM",
		play: "0 serves@100ms sick@3s TERM+1s:0",
		want: "0s 0 starts, 30s 0 TERM, 31s 0 released, 31s ends 0 requested, of 0 exit, starts 1 crashes 0"},
	{name: "nor in fork mode", set: func(w *world) { often(w); forked(w) }, workers: 1, signals: "30s TERM",
		play: "0 serves@100ms sick@3s well@10s TERM+1s:0",
		want: "0s 0 starts, 30s 0 TERM, 31s 0 released, 31s ends 0 requested, of 0 exit, starts 1 crashes 0",
		logs: `"msg":"program unhealthy","path":"/healthz","error":"status 500"} ... "msg":"program healthy","failures":3}`},
	{name: "two of three, one after the other", set: often, workers: 3, signals: "30s TERM",
		play: "0 serves@100ms sick@3s TERM+3s:0 | 1 serves@100ms sick@3s TERM+1s:0 | " + inTurn,
		want: twoStart + "0s 2 starts, 4.1s 0 pause, 4.766666666s 1 pause, 8.1s 0.2 starts, 8.2s 0 TERM, 11.2s 0 released kept, 11.2s 1.2 starts, 11.3s 1 TERM, 12.3s 1 released kept, 30s 0.2 TERM, 30s 1.2 TERM, 30s 2 TERM, 31s 0.2 released, 32s 1.2 released, 33s 2 released, 33s ends 0 requested, of 2 exit, starts 5 crashes 0"},
	{name: "those that never pass are replaced at ever longer intervals", set: often, signals: "10m TERM",
		play: "0* serves@100ms sick@0s TERM+1s:0 | 1* serves@100ms TERM+2s:0",
		want: twoStart + "2.1s 0 pause, 6.1s 0.2 starts, 6.2s 0 TERM, 6.2s 0.2 pause, 7.2s 0 released kept, 1m6.2s 0.3 starts, 1m6.3s 0.2 TERM, 1m6.3s 0.3 pause, 1m7.3s 0.2 released kept, 3m6.3s 0.4 starts, 3m6.4s 0.3 TERM, 3m6.4s 0.4 pause, 3m7.4s 0.3 released kept, 7m6.4s 0.5 starts, 7m6.5s 0.4 TERM, 7m6.5s 0.5 pause, 7m7.5s 0.4 released kept, 10m0s 0.5 TERM, 10m0s 1 TERM, 10m1s 0.5 released, 10m2s 1 released, 10m2s ends 0 requested, of 1 exit, starts 6 crashes 0",
		logs: `"msg":"the new worker is unhealthy as well","worker":0,"pid":102,"next_try_ms":`},
	{name: "a pass is the end of that", set: often, signals: "60s TERM",
		play: "0 serves@100ms sick@3s TERM+1s:0 | 0.2 serves@100ms sick@9s TERM+1s:0 | " + usual,
		want: twoStart + "4.1s 0 pause, 8.1s 0.2 starts, 8.2s 0 TERM, 9.2s 0 released kept, 18.2s 0.2 pause, 22.2s 0.3 starts, 22.3s 0.2 TERM, 23.3s 0.2 released kept, 1m0s 0.3 TERM, 1m0s 1 TERM, 1m1s 0.3 released, 1m2s 1 released, 1m2s ends 0 requested, of 1 exit, starts 4 crashes 0"},
	{name: "the new one fails to start, and another one comes after a minute, if it is still needed", set: often, signals: "3m TERM",
		play: "0 serves@100ms sick@3s TERM+1s:0 | 0.2 exit:3@1s | " + usual,
		want: twoStart + "4.1s 0 pause, 8.1s 0.2 starts, 9.1s 0.2 released, 1m9.1s 0.3 starts, 1m9.2s 0 TERM, 1m10.2s 0 released kept, 3m0s 0.3 TERM, 3m0s 1 TERM, 3m1s 0.3 released, 3m2s 1 released, 3m2s ends 0 requested, of 1 exit, starts 4 crashes 1",
		logs: `"msg":"health failed","worker":0,"reason":"exit"}`},
	{name: "or not", set: often, signals: "3m TERM",
		play: "0 serves@100ms sick@3s well@30s TERM+1s:0 | 0.2 exit:3@1s | " + usual,
		want: twoStart + "4.1s 0 pause, 8.1s 0.2 starts, 9.1s 0.2 released, 30.1s 0 unpause, 3m0s 0 TERM, 3m0s 1 TERM, 3m1s 0 released, 3m2s 1 released, 3m2s ends 0 requested, of 1 exit, starts 3 crashes 1"},
	{name: "one that fails gets connections again when the other one has crashed", set: often, crashes: 3, signals: "30s TERM",
		play: "0 serves@100ms sick@5s TERM+1s:0 | 1 serves@100ms exit:3@7s | 1.2 serves@3s TERM+2s:0 | " + usual,
		want: twoStart + "6.1s 0 pause, 7s 0 unpause, 7s 1 released kept, 7.1s 1.2 starts, 12.1s 0 pause, 16.1s 0.2 starts, 16.2s 0 TERM, 17.2s 0 released kept, 30s 0.2 TERM, 30s 1.2 TERM, 31s 0.2 released, 32s 1.2 released, 32s ends 0 requested, of 1 exit, starts 4 crashes 1"},
	{name: "no checks once a stop has begun", set: func(w *world) { often(w); w.Stop.Delay = 20 * time.Second }, signals: "5s TERM",
		play: "0 serves@100ms sick@3s TERM+1s:0 | 1 serves@100ms TERM+2s:0",
		want: twoStart + "4.1s 0 pause, 25s 0 TERM, 25s 1 TERM, 26s 0 released, 27s 1 released, 27s ends 0 requested, of 1 exit, starts 2 crashes 0"},
	{name: "nor of one that leaves", set: often, asks: "4s reload", signals: "30s TERM",
		play: "0 serves@100ms sick@3500ms answer+500ms TERM+10s:0 | 1 serves@100ms TERM+1s:0 | 0.2 serves@400ms TERM+1s:0 | 1.2 serves@100ms TERM+2s:0",
		want: twoStart + "4s 0.2 starts, 4.4s 0 TERM, 13.4s 0 KILL, 14.4s 0 released kept, 14.4s 1.2 starts, 14.5s 1 TERM, 15.5s 1 released kept, 30s 0.2 TERM, 30s 1.2 TERM, 31s 0.2 released, 32s 1.2 released, 32s ends 0 requested, of 1 exit, starts 4 crashes 0"},
}
