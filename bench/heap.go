package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

const heapUsage = `Usage: bash bench/bench.sh heap [FLAG...]

Lets bench/testdata/heap.js leak in a cgroup (v1) with a memory limit, under plain node and under
nodeinit, and prints whether V8 or the kernel ended it, and what it held by then. Lists are separated by
commas. Of several workers all leak, or one while the others do nothing.

`

// A leak is what one row is about.
type leak struct {
	nodeinit, nodes     string
	node, kind, leaking string
	memory, workers     int // MiB
}

// measureHeaps runs the suite with the arguments that follow its name.
func measureHeaps(args []string, stderr io.Writer) error {
	set := flag.NewFlagSet("bench heap", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() { fmt.Fprint(stderr, heapUsage); set.PrintDefaults() }
	var base leak
	set.StringVar(&base.nodeinit, "nodeinit", "bin/nodeinit", "the nodeinit to measure")
	set.StringVar(&base.nodes, "nodes", "", "the directory of Nodes, as test/nodes.sh makes it")
	nodes := set.String("node", "18.20.8,20.20.2,22.23.3,24.21.0,26.10.0", "versions of Node")
	sizes := set.String("memory", "128,256,512", "limits in MiB (1024 and 2048 take minutes)")
	workers := set.String("workers", "1,2", "how many")
	kinds := set.String("kind", "objects", "what leaks: objects, mixed, buffers")
	leaking := set.String("who", "all,one", "of several workers")
	search := set.Bool("search", false, "also find the highest old space that ends by V8: takes six times as long")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	runtime.LockOSThread() // what is started dies with the thread that started it
	var err error
	if base.nodeinit, err = filepath.Abs(base.nodeinit); err != nil {
		return err
	}
	rows, err := base.rows(*nodes, *sizes, *workers, *kinds, *leaking)
	if err != nil {
		return err
	}
	fmt.Println("| Node | limit (MiB) | workers | leak | plain node: held, ended by | nodeinit: old space | held | peak | ended by | highest |")
	fmt.Println("|---|---:|---:|---|---:|---:|---:|---:|---|---:|")
	for _, row := range rows {
		if err := row.print(*search); err != nil {
			return fmt.Errorf("%+v: %w", row, err)
		}
	}
	return nil
}

// rows returns every combination of the lists.
func (base leak) rows(nodes, sizes, workers, kinds, leaking string) (rows []leak, err error) {
	for _, row := range combinations(nodes, sizes, workers, kinds, leaking) {
		l := base
		l.node, l.kind, l.leaking = row[0], row[3], row[4]
		var badSize, badWorkers error
		l.memory, badSize = strconv.Atoi(row[1])
		l.workers, badWorkers = strconv.Atoi(row[2])
		if err := cmp.Or(badSize, badWorkers); err != nil {
			return nil, err
		}
		if l.workers > 1 || l.leaking == "all" {
			rows = append(rows, l)
		}
	}
	return rows, nil
}

// combinations returns every choice of one word from each list.
func combinations(lists ...string) [][]string {
	all := [][]string{nil}
	for _, list := range lists {
		var longer [][]string
		for _, begun := range all {
			for _, word := range strings.Split(list, ",") {
				longer = append(longer, append(begun[:len(begun):len(begun)], word))
			}
		}
		all = longer
	}
	return all
}

// print runs what a row needs and prints it.
func (l leak) print(search bool) error {
	plain := "-"
	if l.workers == 1 {
		end, err := l.run("")
		if err != nil {
			return err
		}
		plain = fmt.Sprintf("%d, %s", end.held, end.by)
	}
	ours, err := l.run("auto")
	if err != nil {
		return err
	}
	highest := "-"
	if search {
		if highest, err = l.highest(ours.oldSpace); err != nil {
			return err
		}
	}
	what := l.kind
	if l.workers > 1 {
		what += ", " + l.leaking
	}
	fmt.Printf("| %s | %d | %d | %s | %s | %d | %d | %d | %s | %s |\n", l.node, l.memory, l.workers, what,
		plain, ours.oldSpace, ours.held, ours.peak, ours.by, highest)
	return nil
}

// highest returns the largest old space, to a sixty-fourth of the limit, that a
// leak ends in by V8: a number of MiB, or "none" if ours is too much.
func (l leak) highest(ours int) (string, error) {
	low, high := ours, l.memory+1
	found := "none"
	for high-low > max(l.memory/64, 1) {
		middle := (low + high) / 2
		end, err := l.run(fmt.Sprintf("%dM", middle))
		if err != nil {
			return "", err
		}
		if end.by == byV8 {
			low, found = middle, strconv.Itoa(middle)
		} else {
			high = middle
		}
	}
	if found == "none" && low == ours {
		found = strconv.Itoa(ours)
	}
	return found, nil
}
