package node

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/nodeinit/nodeinit/exec"
)

const (
	mib = 1 << 20

	heapBesides = 24 // MiB that a Node process takes at least besides its old space
	heapIdle    = 16 // MiB of its own of a process whose heap holds little
	heapLeast   = 32 // MiB: below that V8 collects more than it runs

	defaultSemi = 16 // MiB: V8's own semi-space on 64 bit, up to V8 11
)

// HeapSize returns Node's old space in MiB for each of workers processes that
// fill limit bytes together, so that V8 fails with its own message before the
// kernel kills. It is a worker's share less what the process takes when that is
// full: a fifth and 4 MiB, of much memory a tenth and 56 MiB, for V8's lists and
// copies in its last collections, the young generation as Node sizes it under a
// limit, stacks, page tables and nodeinit (measured, docs/benchmarks.md). young
// is what the young generation takes more, from [Program.HeapYoung].
func HeapSize(limit int64, workers, young int) int {
	share := int(min(limit/int64(workers)/mib, math.MaxInt32))
	besides := max(min(share/5+4, share/10+56), heapBesides)
	return max(share-besides-young, heapLeast)
}

// HeapAlone returns the old space in MiB for the one of workers processes that
// may turn out to be the only one. It may fill limit bytes as a single process
// may, as long as there is room for the others where they hold little.
func HeapAlone(limit int64, workers, young int) int {
	all := int(min(limit/mib, math.MaxInt32))
	room := all - all/10 - (workers-1)*heapIdle
	return max(min(HeapSize(limit, 1, young), room), HeapSize(limit, workers, young))
}

// HeapFits reports whether V8 will run into an old space of so many MiB in each
// of workers processes before they run into limit bytes.
func HeapFits(size int, limit int64, workers int) bool {
	return int64(size+heapBesides)*int64(workers) <= limit/mib
}

// HeapOption returns the Node option that sets the old space to so many MiB.
func HeapOption(size int) string { return fmt.Sprintf("--max-old-space-size=%d", size) }

// HeapGiven reports whether argv or the NODE_OPTIONS in env already size the
// heap, and the MiB they give it, 0 where that cannot be told. Words of a shell
// command or an npm script count too.
func HeapGiven(argv, env []string) (size int, given bool) {
	for _, flag := range []string{"--max-old-space-size", "--max-heap-size"} {
		if size, given = nodeOption(argv, env, flag); given {
			break
		}
	}
	return size, given
}

// HeapYoung returns the MiB that the young generation of p's Node may take more
// than what HeapSize counts, in one of workers processes that share limit bytes.
// Of V8's three semi-spaces it fills up to two, but only a part of them where
// the old space is small. --max-semi-space-size sets their size, which V8 rounds
// up to a power of two; without, Node derives a small one from the memory limit,
// but Node 18 does not see that of cgroup v2 (libuv 1.44) and leaves V8 its own.
func (p Program) HeapYoung(limit int64, workers, cgroupVersion int) int {
	share := int(limit / int64(workers) / mib)
	semi, given := nodeOption(p.Argv, p.Env, "--max-semi-space-size")
	switch {
	case given && semi > defaultSemi:
		return min(2*(1<<bits.Len(uint(min(semi, 1<<20)-1))-defaultSemi), share/4)
	case !given && cgroupVersion == 2 && p.isNode18():
		return min(2*defaultSemi, share/32+4)
	}
	return 0
}

func (p Program) isNode18() bool {
	if p.Runtime != RuntimeNode {
		return false
	}
	name := "node"
	if p.Join == JoinDirect {
		name = p.Argv[0]
	}
	major, _, known := commandLine{argv: p.Argv, env: p.Env, dir: p.Dir}.nodeVersion(name)
	return known && major == 18
}

// nodeOption looks for a flag of V8's in argv and in the NODE_OPTIONS in env, and
// returns its number, 0 where it has none.
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
	end := strings.IndexFunc(value, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(value)
	}
	number, _ = strconv.Atoi(value[:end])
	return number, true
}

// AddNodeOption returns env with option at the end of its NODE_OPTIONS.
func AddNodeOption(env []string, option string) []string {
	if options := exec.Getenv(env, "NODE_OPTIONS"); options != "" {
		option = options + " " + option
	}
	added := make([]string, 0, len(env)+1)
	for _, kv := range env {
		if !strings.HasPrefix(kv, "NODE_OPTIONS=") {
			added = append(added, kv)
		}
	}
	return append(added, "NODE_OPTIONS="+option)
}
