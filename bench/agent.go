package main

import (
	"cmp"
	"runtime"
	"time"
)

// agentTargets are those of what the agent costs a request: it counts them.
func agentTargets() (all []target) {
	for _, load := range []string{keepAlive, perConn} {
		all = append(all,
			target{load + rate, ourRR, ourBare, 0.99, false},
			target{load + workersCPU, ourRR, ourBare, 1.01, true})
	}
	return all
}

// compareAgent is the short run for what the agent costs a request. Two workers that are
// started in the same way differ by more than that, so there are many rounds.
func (o options) compareAgent() error {
	runtime.LockOSThread() // see newNetwork; and a contender dies with the thread that started it
	all, err := o.chosen(ourRR, ourBare, ourBefore)
	if err != nil {
		return err
	}
	f := make(figures)
	b := bout{time.Second, cmp.Or(o.bout, 2*time.Second)}
	err = trial{name: "agent", rounds: cmp.Or(o.rounds, 25), run: b.loads}.play(all, f)
	f.printTargets(agentTargets())
	for _, load := range []string{keepAlive, perConn} {
		f.print(load+", 32 clients, 2 workers", all, []column{
			{head: "requests/s", figure: load + rate},
			{head: "/ " + ourBare, figure: load + rate, base: ourBare},
			{head: "CPU in workers (µs each)", figure: load + workersCPU},
			{head: "/ " + ourBare, figure: load + workersCPU, base: ourBare},
		})
	}
	f.printErrors(all)
	f.printQuiet(all)
	return err
}
