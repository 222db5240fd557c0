package exec

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	mib = 1 << 20

	heapOverhead = 32 * mib // code, stacks and buffers of Node besides its heap
	heapOwn      = 8 * mib  // nodeinit itself
	heapYoung    = 48       // MiB: three semi-spaces of 16 MiB (V8, 64 bit)
	heapLeast    = 64       // MiB: below that V8 collects more than it runs
)

// HeapSize returns Node's old space in MiB for one of workers processes that
// share limit bytes, so that V8 fails with its own message before the kernel
// kills: 75 % of a worker's share less V8's young space. Node's own default is
// 259 MiB in any container of 128 to 512 MiB.
func HeapSize(limit int64, workers int) int {
	budget := (limit - heapOverhead - heapOwn) / int64(workers)
	return max(int(min(budget/4*3/mib, math.MaxInt32))-heapYoung, heapLeast)
}

// HeapFits reports whether V8 will run into an old space of so many MiB in each
// of workers processes before they run into limit bytes.
func HeapFits(size int, limit int64, workers int) bool {
	return int64(size*workers)*mib+heapOverhead+heapOwn <= limit
}

// HeapOption returns the Node option that sets the old space to so many MiB.
func HeapOption(size int) string { return fmt.Sprintf("--max-old-space-size=%d", size) }

// HeapGiven reports whether argv or the NODE_OPTIONS in env already size the
// heap, and the MiB they give it, 0 where that cannot be told. Words of a shell
// command or an npm script count too.
func HeapGiven(argv, env []string) (size int, given bool) {
	// The last one counts, and the command line after NODE_OPTIONS.
	text := Lookup(env, "NODE_OPTIONS") + " " + strings.Join(argv, " ")
	text = strings.ReplaceAll(text, "_", "-") // V8 takes both
	for _, flag := range []string{"--max-old-space-size", "--max-heap-size"} {
		at := strings.LastIndex(text, flag)
		if at < 0 {
			continue
		}
		// --max-old-space-size=512, its value as the next word, or
		// --max-old-space-size-percentage=50, which is no number of MiB.
		value := strings.TrimLeft(text[at+len(flag):], "= ")
		end := strings.IndexFunc(value, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			end = len(value)
		}
		size, _ = strconv.Atoi(value[:end])
		return size, true
	}
	return 0, false
}

// AddNodeOption returns env with option at the end of its NODE_OPTIONS.
func AddNodeOption(env []string, option string) []string {
	if options := Lookup(env, "NODE_OPTIONS"); options != "" {
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
