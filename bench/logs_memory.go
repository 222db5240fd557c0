package main

import (
	"fmt"
	"os"
	"time"
)

// progress tells what goes on.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }

const (
	soakWorkers = 8
	soakRate    = 50_000_000 // bytes a second of each worker
)

// checkMemory shows nodeinit's resident memory while 8 workers write 50 MB/s each: at the start, after half
// the time and at the end.
func (s *logSuite) checkMemory() error {
	if s.soak == 0 {
		return nil
	}
	fmt.Printf("\n| resident (MB), %d workers that write up to %d MB/s each for %v | before | at a tenth | half | end | MB/s in all |\n|---|---:|---:|---:|---:|---:|\n",
		soakWorkers, soakRate/1_000_000, s.soak)
	for _, name := range []string{linesLogs, jsonLogs} {
		for i, kind := range s.kinds {
			tool := s.tool(kind, name)
			if tool == nil || name == linesLogs && i > 0 { // which does not look at them
				continue
			}
			if err := s.soakOne(*tool, kind); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *logSuite) soakOne(tool logTool, kind string) error {
	run, err := startLogs(tool, s.node, soakWorkers)
	if err != nil {
		return err
	}
	f := make(figures)
	sample := func() { err = run.addResident(f) }
	sample()
	countLogs(run.out)
	var all written
	const parts = 10 // of the time: the rate is that of each part, not made up for by the next
	began := time.Now()
	for part := 0; part < parts && err == nil; part++ {
		var w written
		w, err = run.writers.write(order{Kind: kind, Bytes: int(s.soak.Seconds() * soakRate / parts), Rate: soakRate})
		all.Bytes += w.Bytes
		if err == nil {
			sample()
		}
		if time.Since(began) > s.soak*(parts-1)/parts && part < parts-1 {
			break // slower than asked for
		}
	}
	if err != nil {
		return run.end(err)
	}
	seen := f[resident][tool.name]
	fmt.Printf("| %s, %s | %.1f | %.1f | %.1f | %.1f | %.0f |\n", tool.name, kind, seen[0], seen[1], seen[len(seen)/2], seen[len(seen)-1],
		float64(all.Bytes)/1e6/time.Since(began).Seconds())
	return run.end(nil)
}

// addResident adds what the tool's process holds.
func (r *logRun) addResident(f figures) error {
	if len(r.others) != 1 {
		return fmt.Errorf("%s has the processes %v, want one", r.tool.name, r.others)
	}
	return f.addMemory(r.tool.name, r.others[0])
}
