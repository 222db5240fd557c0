// Command bench compares nodeinit's start with plain Node's and with other inits,
// or its per-core mode with node:cluster and PM2, and prints Markdown. Each round
// runs every one of them, in an order that turns, so that what the machine does
// besides falls on all alike; the medians of the rounds are compared.
//
// Its suite "operate" counts requests that fail while workers are replaced, "heap"
// lets programs leak in little memory, "logs" is about what passes on logs, "control" about requests
// over the control socket, and "metrics" about scrapes and profiles.
//
// Usage, in the root of the repository: bash bench/bench.sh [init|cluster|rr|agent|operate|heap|logs|control|metrics]
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/nodeinit/nodeinit/bench/operate"
)

// options are what is measured, and how long.
type options struct {
	programs
	rounds int           // 0: as many as each measure wants
	bout   time.Duration // of the load that is measured
	only   *regexp.Regexp
	trials *regexp.Regexp
}

func main() {
	if role(os.Args[1:]) {
		return
	}
	err := run(os.Args[1:], os.Stderr)
	if errors.Is(err, context.Canceled) {
		os.Exit(130) // as the shell has it after ^C
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string, stderr io.Writer) (err error) {
	switch {
	case len(args) > 0 && args[0] == "operate": // has flags of its own
		return operate.Run(args[1:], stderr)
	case len(args) > 0 && args[0] == "heap":
		return measureHeaps(args[1:], stderr)
	case len(args) > 0 && args[0] == "logs":
		return measureLogs(args[1:], stderr)
	case len(args) > 0 && args[0] == "control":
		return measureControl(args[1:], stderr)
	case len(args) > 0 && args[0] == "metrics":
		return measureMetrics(args[1:], stderr)
	case len(args) == 3 && args[0] == operate.FloodRole:
		return operate.RunFlood(args[1], args[2])
	}
	var o options
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&o.nodeinit, "nodeinit", "bin/nodeinit", "the nodeinit to measure")
	set.StringVar(&o.earlier, "before", "", "an earlier nodeinit, to be measured beside it")
	set.StringVar(&o.node, "node", "node", "the Node that all run on")
	set.StringVar(&o.pm2Runtime, "pm2-runtime", "", "the script of pm2-runtime")
	set.StringVar(&o.bare, "bare", "bin/bare", "init: bench/bare, built as nodeinit is")
	set.StringVar(&o.nodes, "nodes", "", "init: the directory of Nodes, as test/nodes.sh makes it")
	versions := set.String("versions", "", "init: which of them run an empty script, separated by commas")
	set.IntVar(&o.rounds, "rounds", 0, "how often each is measured; 0: as the measure wants")
	set.DurationVar(&o.bout, "load", 0, "how long a load is measured, in whole seconds; 0: 3s, rr: 2s")
	only := set.String("only", "", "measure only contenders that match this regular expression")
	trials := set.String("measure", "", "init, cluster: make only measures that match this regular expression")
	if err := set.Parse(args); err != nil {
		return err
	}
	if o.only, err = regexp.Compile(*only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if o.trials, err = regexp.Compile(*trials); err != nil {
		return fmt.Errorf("-measure: %w", err)
	}
	if *versions != "" {
		o.versions = strings.Split(*versions, ",")
	}
	switch what := set.Arg(0); what {
	case "", "init":
		return o.compareInits()
	case "cluster":
		return o.compareClusters()
	case "rr":
		return o.compareHandover()
	case "agent":
		return o.compareAgent()
	default:
		return fmt.Errorf("%q is nothing to measure (try init, cluster, rr, agent, operate, heap, logs, control or metrics)", what)
	}
}

// chosen returns the contenders with these names, or all, that -only lets pass.
func (o options) chosen(names ...string) ([]contender, error) {
	var chosen []contender
	for _, c := range o.pass(o.contenders()) {
		if len(names) == 0 || slices.Contains(names, c.name) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("-only leaves nothing to measure")
	}
	return chosen, nil
}

// compareHandover is the short run for work on the way of a connection to its
// worker.
func (o options) compareHandover() error {
	runtime.LockOSThread() // see newNetwork; and a contender dies with the thread that started it
	all, err := o.chosen(clusterRR, ourRR, ourShared, ourBefore)
	if err != nil {
		return err
	}
	f := make(figures)
	b := bout{time.Second, cmp.Or(o.bout, 2*time.Second)}
	err = trial{name: perConn, rounds: cmp.Or(o.rounds, 5), run: b.connections}.play(all, f)
	if err != nil {
		return err
	}
	f.print("a connection per request, 2 workers", all, loadColumns(perConn))
	f.printErrors(all)
	f.printQuiet(all)
	return nil
}

// compareClusters is the run behind docs/benchmarks.md.
func (o options) compareClusters() error {
	runtime.LockOSThread() // see newNetwork; and a contender dies with the thread that started it
	all, err := o.chosen()
	if err != nil {
		return err
	}
	f := make(figures)
	b := bout{time.Second, cmp.Or(o.bout, 3*time.Second)}
	for _, t := range []trial{
		{name: "load", rounds: cmp.Or(o.rounds, 9), run: b.loads},
		{name: first, rounds: cmp.Or(o.rounds, 15), run: firstAnswer},
		{name: "spread", rounds: cmp.Or(o.rounds, 5), run: spread},
		{name: blocked, rounds: cmp.Or(o.rounds, 7), run: blockedWorker},
	} {
		if !o.trials.MatchString(t.name) {
			continue
		}
		if err := t.play(all, f); err != nil {
			f.printClusters(all) // a quarter of an hour's work may be in it
			return err
		}
	}
	f.printClusters(all)
	return nil
}

// printClusters prints all tables.
func (f figures) printClusters(all []contender) {
	f.printTargets(clusterTargets())
	f.print("a connection per request, 32 clients, 2 workers", all, loadColumns(perConn))
	f.print("keep-alive, 32 clients, 2 workers", all, loadColumns(keepAlive))
	f.print("idle after load, 2 workers", all, memoryColumns())
	f.print("2 workers", all, firstColumns())
	f.printSpread(all)
	f.print("one of 4 workers stuck 1 s of every 1.5 s, 8 clients, a connection per request", all, []column{
		{head: "requests/s", figure: blocked + rate},
		{head: "/ " + clusterRR, figure: blocked + rate, base: clusterRR},
		{head: "p99 (ms)", figure: blocked + p99},
	})
	if len(f[perConn+rate][ourHash])+len(f[blocked+rate][ourHash]) > 0 {
		printHashNote()
	}
	f.printErrors(all)
	f.printQuiet(all)
}

func printHashNote() {
	fmt.Printf("\n%s gives one address to one worker, so there wrk has an address and a thread per worker instead of one\n"+
		"thread in all (4 beside the stuck worker). More threads get more of two CPUs: do not compare its rates closely.\n", ourHash)
}
