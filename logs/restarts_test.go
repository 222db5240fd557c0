package logs_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/logs"
)

const restartCount = 1000

// Processes that start and end, one after the other, leave nothing behind, and the last
// words of each are there.
func TestRestartsLeaveNothing(t *testing.T) {
	t.Parallel()
	p := testproc.Command{Argv: testproc.Argv("restarts")}.Start(t)
	p.WaitCode(0)
	want := ""
	for i := range restartCount {
		want += fmt.Sprintf("last words of %d\n", i)
	}
	if got := p.Output(); got != want {
		t.Errorf("%d bytes, want %d, that end in %q", len(got), len(want), got[max(len(got)-50, 0):])
	}
}

// restarts is as nodeinit with a process that is started again and again.
func restarts([]string) {
	out, errOut := logs.OpenOutputs()
	s := logs.NewStreams(out, errOut, logs.Options{JSON: false, Prefix: func(logs.Source) []byte { return nil }})
	var files, goroutines int
	var heap uint64
	for i := range restartCount {
		pipes, err := s.Open(true, true)
		if err != nil {
			panic(err)
		}
		if _, err := unix.Write(pipes.Stdout, fmt.Appendf(nil, "last words of %d", i)); err != nil {
			panic(err)
		}
		pipes.Started(i, i)
		s.Drain(testproc.HangLimit) // keeps them in their order
		if i == restartCount/10 {
			files, goroutines, heap = usage(0, 0)
		}
	}
	_, _, last := usage(files, goroutines)
	if last > heap+1<<20 {
		panic(fmt.Sprintf("the heap has grown from %d to %d bytes", heap, last))
	}
}

// usage returns how many descriptors and goroutines there are, and the bytes on the heap.
// It waits until there are no more than a given number, if that is not 0.
func usage(mostFiles, mostGoroutines int) (files, goroutines int, heap uint64) {
	for {
		runtime.GC()
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			panic(err)
		}
		files, goroutines = len(entries), runtime.NumGoroutine()
		if (mostFiles == 0 || files <= mostFiles) && (mostGoroutines == 0 || goroutines <= mostGoroutines) {
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			return files, goroutines, stats.HeapAlloc
		}
	}
}
