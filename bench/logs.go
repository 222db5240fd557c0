package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

const logsUsage = `Usage: bash bench/bench.sh logs [FLAG...]

Has workers write log lines as fast as they are taken, and measures what passes them on: lines and MB per
second, and the CPU time of everything but the writers, for each GB that they wrote. The writers are Node
processes that write batches of 64 KiB made before (bench/testdata/logs.js); the row "` + noTool + `" is their
rate without anything between them and the reader, which counts at the other end of a pipe of 64 KiB, as
Docker's. Then it counts lines that are torn, lost or there twice, looks at the memory of nodeinit under load, and
measures the requests per second of a server that writes a line for each. All takes about 12 minutes.

`

// A logPrograms is what is compared, and where.
type logPrograms struct {
	programs
	pretty string // pino-pretty's program
}

// A logSuite is the suite "logs".
type logSuite struct {
	logPrograms
	workers []int
	kinds   []string
	rounds  int
	bytes   int // that are written in a run of a fast tool
	lines   int // that are numbered, 0 for none
	soak    time.Duration
	load    time.Duration // of requests
	only    *regexp.Regexp
}

// measureLogs runs the suite with the arguments that follow its name.
func measureLogs(args []string, stderr io.Writer) error {
	var s logSuite
	set := flag.NewFlagSet("bench logs", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() { fmt.Fprint(stderr, logsUsage); set.PrintDefaults() }
	set.StringVar(&s.nodeinit, "nodeinit", "bin/nodeinit", "the nodeinit to measure")
	set.StringVar(&s.earlier, "before", "", "an earlier nodeinit, to be measured beside it")
	set.StringVar(&s.node, "node", "node", "the Node that all run on")
	set.StringVar(&s.pm2Runtime, "pm2-runtime", "", "the script of pm2-runtime")
	set.StringVar(&s.pretty, "pino-pretty", "", "the script of pino-pretty")
	set.IntVar(&s.rounds, "rounds", 5, "how often each is measured")
	megabytes := set.Int("mb", 256, "what is written in a run, in MB; slow tools get a part of it")
	set.IntVar(&s.lines, "lines", 10_000_000, "how many numbered lines are checked; 0: none")
	set.DurationVar(&s.soak, "soak", time.Minute, "how long 8 workers write 50 MB/s each; 0: not at all")
	set.DurationVar(&s.load, "load", 3*time.Second, "how long a server is loaded that logs requests, in whole seconds; 0: not at all")
	workers := set.String("workers", "2,8", "numbers of workers, separated by commas")
	kinds := set.String("kinds", "text,pino", "what they write: text (120 bytes), pino (JSON, 311 bytes)")
	only := set.String("only", "", "only tools that match this regular expression")
	short := set.Bool("short", false, "under two minutes for all: 1 round, 16 MB, 200,000 lines, 5 s, 1 s")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if *short {
		s.rounds, *megabytes, s.lines, s.soak, s.load = 1, 16, 200_000, 5*time.Second, time.Second
	}
	s.bytes, s.kinds = *megabytes*1_000_000, strings.Split(*kinds, ",")
	for _, n := range strings.Split(*workers, ",") {
		number, err := strconv.Atoi(n)
		if err != nil {
			return fmt.Errorf("-workers: %w", err)
		}
		s.workers = append(s.workers, number)
	}
	var err error
	if s.only, err = regexp.Compile(*only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if s.nodeinit, err = filepath.Abs(s.nodeinit); err != nil {
		return err
	}
	return s.run()
}

func (s *logSuite) run() error {
	runtime.LockOSThread() // what is started dies with the thread that started it
	f := make(figures)
	for _, kind := range s.kinds {
		for _, n := range s.workers {
			if err := s.compare(kind, n, f); err != nil {
				return err
			}
		}
	}
	f.printTargets(s.targets())
	for _, kind := range s.kinds {
		for _, n := range s.workers {
			s.print(kind, n, f)
		}
	}
	return errors.Join(s.checkNumbered(), s.checkMemory(), s.measureRequests())
}

// workload names the figures of lines of a kind from so many workers.
func workload(kind string, workers int) string {
	return fmt.Sprintf("%s, %d workers", map[string]string{"text": "text of 120 bytes", "pino": "JSON of 311 bytes"}[kind], workers)
}

// Figures of a workload.
const (
	lineRate = ": lines/s"
	byteRate = ": MB/s"
	perGB    = ": CPU s/GB"
	missing  = ": lines missing"
)

// tools are those that -only lets pass.
func (s *logSuite) tools(kind string) (list []logTool) {
	for _, tool := range s.logTools(kind) {
		if s.only.MatchString(tool.name) {
			list = append(list, tool)
		}
	}
	return list
}

func contendersOf(tools []logTool) (list []contender) {
	for _, tool := range tools {
		list = append(list, tool.contender)
	}
	return list
}

// compare measures all tools with lines of a kind.
func (s *logSuite) compare(kind string, workers int, f figures) error {
	tools, name := s.tools(kind), workload(kind, workers)
	measure := func(c contender, f figures) error {
		tool := tools[slices.IndexFunc(tools, func(t logTool) bool { return t.name == c.name })]
		bytes := s.bytes / max(1, tool.share) / workers
		run, err := startLogs(tool, s.node, workers)
		if err != nil {
			return err
		}
		h, err := run.measure(order{Kind: kind, Bytes: bytes, Stdout: tool.stdout})
		if err != nil {
			return run.end(err)
		}
		f.add(name+lineRate, c.name, float64(h.arrived)/h.took.Seconds())
		f.add(name+byteRate, c.name, float64(h.Bytes)/1e6/h.took.Seconds())
		f.add(name+perGB, c.name, h.cpu.Seconds()/float64(h.Bytes)*1e9)
		f.add(name+missing, c.name, float64(h.Lines-h.arrived))
		return run.end(nil)
	}
	return trial{name: name, rounds: s.rounds, run: measure}.play(contendersOf(tools), f)
}

// targets are those of the issue that asked for the logs.
func (s *logSuite) targets() (all []target) {
	for _, kind := range s.kinds {
		for _, n := range s.workers {
			name := workload(kind, n)
			all = append(all,
				target{name + lineRate, jsonLogs, pm2JSON, 10, false},
				target{name + perGB, jsonLogs, pm2JSON, 0.125, true},
				target{name + perGB, linesLogs, catTool, 1.1, true})
		}
	}
	return all
}

func (s *logSuite) print(kind string, workers int, f figures) {
	tools, name := contendersOf(s.tools(kind)), workload(kind, workers)
	f.print(name, tools, []column{
		{head: "lines/s", figure: name + lineRate},
		{head: "MB/s", figure: name + byteRate},
		{head: "/ " + pm2JSON, figure: name + lineRate, base: pm2JSON},
		{head: "CPU s/GB but the writers'", figure: name + perGB},
		{head: "/ " + catTool, figure: name + perGB, base: catTool},
		{head: "/ " + pm2JSON, figure: name + perGB, base: pm2JSON},
	})
	for _, c := range tools {
		if most := f.stat(name+missing, c.name).max; most > 0 {
			fmt.Printf("\n%s, %s: up to %.0f lines of a run were missing.\n", c.name, name, most)
		}
	}
}

// tool returns nodeinit's in a mode, nil if it is not to be measured.
func (s *logSuite) tool(kind, name string) *logTool {
	for _, tool := range s.tools(kind) {
		if tool.name == name {
			return &tool
		}
	}
	return nil
}
