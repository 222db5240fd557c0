package node

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/nodeinit/nodeinit/exec"
)

// Sizes in MiB; mib is one in bytes.
const (
	mib = 1 << 20

	minOverhead = 24 // what a Node process takes at least besides its old space
	idleWorker  = 16 // private memory of a process with little in its heap
	minOldSpace = 32 // below that V8 spends more time collecting than running

	defaultSemiSpace = 16 // V8's own default on 64 bit, up to V8 11
)

// HeapSize returns the size of Node's old space in MiB for each of workers
// processes that share limit bytes, such that V8 fails with its own message before
// the kernel kills. It is a worker's share less what the process takes besides a
// full old space: a fifth and 4 MiB, of a large share a tenth and 56 MiB, for V8's
// lists and copies in its last collections, the young generation as Node sizes it
// under a limit, stacks, page tables and nodeinit (measured, docs/benchmarks.md).
// young is what the young generation takes beyond that, from [Program.HeapYoung].
func HeapSize(limit int64, workers, young int) int {
	share := int(min(limit/int64(workers)/mib, math.MaxInt32))
	overhead := max(min(share/5+4, share/10+56), minOverhead)
	return max(share-overhead-young, minOldSpace)
}

// HeapAlone returns the size of the old space in MiB for the one of workers
// processes that may turn out to be the only one. That may fill limit bytes as a
// single process may, as long as there is room for the others with little in their
// heaps.
func HeapAlone(limit int64, workers, young int) int {
	all := int(min(limit/mib, math.MaxInt32))
	room := all - all/10 - (workers-1)*idleWorker
	return max(min(HeapSize(limit, 1, young), room), HeapSize(limit, workers, young))
}

// HeapFits reports whether each of workers processes reaches an old space of size
// MiB before all together reach limit bytes.
func HeapFits(size int, limit int64, workers int) bool {
	return int64(size+minOverhead)*int64(workers) <= limit/mib
}

// HeapOption returns the Node option for an old space of size MiB.
func HeapOption(size int) string { return fmt.Sprintf("--max-old-space-size=%d", size) }

// HeapGiven reports whether argv or the NODE_OPTIONS in env set the size of the
// heap, and that size in MiB, 0 where it is not known. Words of a shell command or
// an npm script count too.
func HeapGiven(argv, env []string) (size int, given bool) {
	if size, given = nodeOption(argv, env, "--max-old-space-size"); given {
		return size, given
	}
	return nodeOption(argv, env, "--max-heap-size")
}

// HeapYoung returns the MiB that the young generation of p's Node may take beyond
// what HeapSize allows for, in one of workers processes that share limit bytes. V8
// fills up to two of its three semi-spaces, less where the old space is small.
// --max-semi-space-size sets their size, which V8 rounds up to a power of two;
// without it Node derives a small one from the memory limit, except that Node 18
// does not see that of cgroup v2 (libuv 1.44) and leaves V8's default.
func (p Program) HeapYoung(limit int64, workers, cgroupVersion int) int {
	share := int(limit / int64(workers) / mib)
	semi, given := nodeOption(p.Argv, p.Env, "--max-semi-space-size")
	switch {
	case given && semi > defaultSemiSpace:
		return min(2*(1<<bits.Len(uint(min(semi, 1<<20)-1))-defaultSemiSpace), share/4)
	case given || cgroupVersion != 2 || p.Runtime != RuntimeNode:
		return 0
	}
	if major, _, known := p.nodeVersion(); !known || major != 18 {
		return 0
	}
	return min(2*defaultSemiSpace, share/32+4)
}

// nodeOption reports whether a flag of V8 is in argv or in the NODE_OPTIONS in env,
// and returns its number, 0 where it has none.
func nodeOption(argv, env []string, flag string) (number int, given bool) {
	// The last one counts, and the command line after NODE_OPTIONS.
	text := exec.Getenv(env, "NODE_OPTIONS") + " " + strings.Join(argv, " ")
	text = strings.ReplaceAll(text, "_", "-") // V8 takes both
	at := strings.LastIndex(text, flag)
	if at < 0 {
		return 0, false
	}
	// --max-old-space-size=512, its value as the next word, or
	// --max-old-space-size-percentage=50, which is no number of MiB.
	value := strings.TrimLeft(text[at+len(flag):], "= ")
	number, _ = strconv.Atoi(value[:len(value)-len(strings.TrimLeft(value, digits))])
	return number, true
}
