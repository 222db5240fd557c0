package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Names of the figures of the suite init, besides first and firstFault.
const (
	whole        = "start to end (ms)"
	wholeFaults  = "minor faults"
	binary       = "binary (MB)"
	output       = "start to the program's first output (ms)"
	resident     = "resident memory (MB)"
	proportional = "Pss (MB)"
	anonymous    = "anonymous memory (MB)"
	threads      = "threads"
	latency      = "signal sent to handled (ms)"
	orphans      = "10,000 orphans ended to reaped (ms)"
)

// A part is a trial and what it measures.
type part struct {
	trial
	all     []contender
	servers bool // which want a thread of their own
}

// initParts are what the suite init measures, what needs the thread as it was
// before the servers first. The orphans are last: they keep the machine busy for
// a while after they have ended, and take the longest.
func (o options) initParts() []part {
	runs := o.commands()
	for _, version := range o.versions {
		runs = append(runs, o.scripts(version)...)
	}
	return []part{
		{trial{name: whole, rounds: 15, turns: 3, run: wholeRun}, runs, false},
		{trial{name: output, rounds: 20, turns: 10, run: firstOutput}, o.inits(), false},
		{trial{name: latency, rounds: 20, turns: 10, run: signalLatency}, o.inits(), false},
		{trial{name: resident, rounds: 5, run: memory}, o.inits(), false},
		{trial{name: first, rounds: 15, turns: 3, run: firstAnswer}, o.servers(), true},
		{trial{name: resident + " beside Node", rounds: 5, run: serverMemory}, o.ourServers(), true},
		{trial{name: orphans, rounds: 3, run: reapOrphans}, o.inits(), false},
	}
}

// compareInits measures nodeinit's own start, what it costs Node's, and nodeinit
// beside other inits.
func (o options) compareInits() error {
	f := make(figures)
	if err := f.addSizes(o.pass(o.inits())); err != nil {
		return err
	}
	err := o.playInits(f)
	o.printInits(f) // minutes of work may be in it
	return err
}

func (o options) playInits(f figures) error {
	played := false
	for _, p := range o.initParts() {
		all := o.pass(p.all)
		if !o.trials.MatchString(p.name) || len(all) == 0 {
			continue
		}
		if p.servers {
			runtime.LockOSThread() // see NewNetwork; and a server dies with the thread that started it
		}
		p.rounds = cmp.Or(o.rounds, p.rounds)
		if err := p.play(all, f); err != nil {
			return err
		}
		played = true
	}
	if !played {
		return errors.New("-only and -measure leave nothing to measure")
	}
	return nil
}

// printInits prints all tables.
func (o options) printInits(f figures) {
	f.printTargets(initTargets(o.versions))
	f.printBeside("a command, from its start to its end", o.commands(), wholeColumns(tiniTrue))
	for _, version := range o.versions {
		f.printBeside("an empty script on Node "+version, o.scripts(version), wholeColumns(nodeName(version)))
	}
	f.printBeside("start to first answer", o.servers(), []column{
		{head: "ms", figure: first},
		{head: "/ " + serverAlone, figure: first, base: serverAlone},
		{head: "minor faults until then", figure: firstFault},
	})
	f.printBeside("memory of the init while its program idles", append(o.inits(), o.ourServers()...), []column{
		{head: "VmRSS (MB)", figure: resident},
		{head: "Pss (MB)", figure: proportional},
		{head: "anonymous (MB)", figure: anonymous},
		{head: "threads", figure: threads},
	})
	f.printByInit(o.inits())
}

func wholeColumns(base string) []column {
	return []column{
		{head: "ms", figure: whole},
		{head: "/ " + base, figure: whole, base: base},
		{head: "minor faults", figure: wholeFaults},
	}
}

// printByInit prints a table of medians with a column for each init.
func (f figures) printByInit(all []contender) {
	fmt.Print("\n| median of paired runs |")
	for _, c := range all {
		fmt.Printf(" %s |", c.name)
	}
	fmt.Printf(" %s / %s |\n|---|%s\n", ourInit, tiniInit, strings.Repeat("---:|", len(all)+1))
	for _, name := range []string{binary, output, resident, anonymous, latency, orphans} {
		if len(f[name]) == 0 {
			continue
		}
		fmt.Printf("| %s |", name)
		for _, c := range all {
			if s := f.stat(name, c.name); s.rounds > 0 {
				fmt.Printf(" %s |", digits(s.median))
			} else {
				fmt.Print(" |")
			}
		}
		if r := f.ratio(name, ourInit, tiniInit); r.rounds > 0 {
			fmt.Printf(" %s |\n", digits(r.median))
		} else {
			fmt.Println(" |")
		}
	}
}

// addSizes adds the sizes of the inits' binaries.
func (f figures) addSizes(inits []contender) error {
	for _, c := range inits {
		if c.name == noInit {
			continue
		}
		path, err := exec.LookPath(c.argv(1)[0])
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		f.add(binary, c.name, float64(info.Size())/1e6)
	}
	return nil
}

// pass returns the contenders that -only lets pass.
func (o options) pass(all []contender) []contender {
	return slices.DeleteFunc(all, func(c contender) bool { return !o.only.MatchString(c.name) })
}

func milliseconds(d time.Duration) float64 { return float64(d) / 1e6 }
