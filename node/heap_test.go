package node_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/node"
)

const mib = 1 << 20

func TestHeapSize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit          int64
		workers, young int
		each, alone    int
	}{
		{128 * mib, 1, 0, 99, 99},
		{256 * mib, 1, 0, 201, 201},
		{512 * mib, 1, 0, 406, 406},
		{1024 * mib, 1, 0, 866, 866},
		{2048 * mib, 1, 0, 1788, 1788},
		{256 * mib, 2, 0, 99, 201},
		{512 * mib, 2, 0, 201, 406},
		{1024 * mib, 2, 0, 406, 866},
		{1024 * mib, 4, 0, 201, 866},
		{2048 * mib, 4, 0, 406, 1788},
		{8192 * mib, 8, 0, 866, 7261}, // the others need more than is left
		{512 * mib, 1, 96, 310, 310},
		{512 * mib, 2, 96, 105, 310},
		{512 * mib, 2, 1 << 20, 32, 32},
		{512 * mib, 8, 0, 40, 349},
		{512 * mib, 64, 0, 32, 32},
		{64 * mib, 1, 0, 40, 40},
		{40 * mib, 1, 0, 32, 32},
		{mib, 1, 0, 32, 32},
		{1, 1000, 0, 32, 32},
		{0, 1, 0, 32, 32},
		{1 << 50, 1, 0, 1<<30 - 1<<30/10 - 56, 1<<30 - 1<<30/10 - 56},
		{math.MaxInt64, 1, 0, math.MaxInt32 - math.MaxInt32/10 - 56, math.MaxInt32 - math.MaxInt32/10 - 56},
	} {
		each, alone := node.HeapSize(c.limit, c.workers, c.young), node.HeapAlone(c.limit, c.workers, c.young)
		if each != c.each || alone != c.alone {
			t.Errorf("%d MiB, %d workers, %d MiB young: %d each, %d alone, want %d and %d", c.limit/mib, c.workers, c.young, each, alone, c.each, c.alone)
		}
	}
}

// The heaps of all workers fit into the limit, and that of HeapAlone fits with the others
// idle.
func TestHeapsFit(t *testing.T) {
	t.Parallel()
	for limit := int64(64); limit <= 1<<16; limit += 7 {
		for workers := 1; int64(workers)*256 <= max(limit, 256); workers *= 2 {
			each, alone := node.HeapSize(limit*mib, workers, 0), node.HeapAlone(limit*mib, workers, 0)
			if !node.HeapFits(each, limit*mib, workers) || node.HeapFits(int(limit)-23, limit*mib, 1) {
				t.Errorf("%d MiB, %d workers: %d MiB each do not fit, or all of it does", limit, workers, each)
			}
			if single := node.HeapSize(limit*mib, 1, 0); alone > single || workers <= 4 && alone != single || each > alone {
				t.Errorf("%d MiB, %d workers: %d MiB alone, %d each, %d for a single process", limit, workers, alone, each, single)
			}
		}
	}
}

func TestHeapYoung(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"":                               0,
		"--max-semi-space-size=1":        0,
		"--max-semi-space-size=16":       0,
		"--max-semi-space-size=17":       32,
		"--max-semi-space-size=32":       32,
		"--max_semi_space_size 64":       96,
		"--max-semi-space-size=100":      128, // a quarter of 512
		"--max-semi-space-size=x":        0,
		"--min-semi-space-size=64":       0,
		"--max-semi-space-size=99999999": 128,
	} {
		inOptions := node.Program{Argv: []string{"node", "a.js"}, Env: []string{"NODE_OPTIONS=--no-warnings " + text}}
		if got := inOptions.HeapYoung(1024*mib, 2, 1); got != want {
			t.Errorf("NODE_OPTIONS %q: %d, want %d", text, got, want)
		}
		inArgv := node.Program{Argv: append(append([]string{"node"}, strings.Fields(text)...), "a.js")}
		if got := inArgv.HeapYoung(1024*mib, 2, 1); got != want {
			t.Errorf("%q: %d, want %d", inArgv.Argv, got, want)
		}
	}
}

// Node 18 does not see the limit of cgroup v2, and its young generation is larger.
func TestHeapYoungOfNode18(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		major, cgroup int
		limit         int64 // MiB
		argv          string
		want          int
	}{
		{18, 2, 1024, "node a.js", 32},
		{18, 2, 128, "node a.js", 8},
		{18, 2, 512, "node a.js", 20},
		{18, 1, 1024, "node a.js", 0},
		{18, 2, 1024, "node --max-semi-space-size=1 a.js", 0},
		{18, 2, 1024, "node --max-semi-space-size=64 a.js", 96},
		{18, 2, 1024, "env A=1 node a.js", 32},
		{18, 2, 1024, "true", 0},
		{20, 2, 1024, "node a.js", 0},
	} {
		dir := t.TempDir()
		header := fmt.Sprintf("#define NODE_MAJOR_VERSION %d\n#define NODE_MINOR_VERSION 20\n", c.major)
		for file, text := range map[string]string{"bin/node": "", "include/node/node_version.h": header} {
			file = filepath.Join(dir, file)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		p := node.Identify(strings.Fields(c.argv), []string{"PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH")}, dir)
		if got := p.HeapYoung(c.limit*mib, 1, c.cgroup); got != c.want {
			t.Errorf("Node %d, %q, cgroup v%d: %d, want %d", c.major, c.argv, c.cgroup, got, c.want)
		}
	}
}

func TestHeapGiven(t *testing.T) {
	t.Parallel()
	const none = -1
	for _, c := range []struct {
		argv    string // words separated by |
		options string
		want    int
	}{
		{"node|server.js", "", none},
		{"node|--max-old-space-size=512|server.js", "", 512},
		{"node|--max_old_space_size=512|server.js", "", 512},
		{"node|--max-old_space-size=512|server.js", "", 512},
		{"node|--max-old-space-size|512|server.js", "", 512},
		{"node|server.js", "--max-old-space-size=256", 256},
		{"node|server.js", "--enable-source-maps --max_old_space_size=256 --no-warnings", 256},
		{"node|server.js", "--enable-source-maps", none},
		{"node|--max-old-space-size=512|server.js", "--max-old-space-size=256", 512},
		{"node|--max-old-space-size=512|--max-old-space-size=300|server.js", "", 300},
		{"sh|-c|node --max-old-space-size=512 server.js", "", 512},
		{"sh|-c|NODE_OPTIONS='--max-old-space-size=300' npm start", "", 300},
		{"node|--max-heap-size=700|server.js", "", 700},
		{"node|server.js", "--max-heap-size=700", 700},
		{"node|--max-old-space-size-percentage=50|server.js", "", 0},
		{"node|server.js", "--max-old-space-size-percentage=50", 0},
		{"node|--max-old-space-size", "", 0},
		{"node|--max-old-space-size=abc", "", 0},
		{"node|--max-old-space-size=0|server.js", "", 0},
		{"node|--max-semi-space-size=16|server.js", "", none},
		{"", "", none},
	} {
		env := []string{"A=--max-old-space-size=1", "NODE_OPTIONS=" + c.options}
		size, given := node.HeapGiven(strings.Split(c.argv, "|"), env)
		if given != (c.want != none) || size != max(c.want, 0) {
			t.Errorf("HeapGiven(%q, %q) = %d, %v, want %d", c.argv, c.options, size, given, c.want)
		}
	}
}

func FuzzHeapGiven(f *testing.F) {
	f.Add("node --max-old-space-size=512", "--max-heap-size")
	f.Add("--max-old-space-size 99999999999999999999", "x=--max_old_space_size")
	f.Fuzz(func(t *testing.T, word, options string) {
		env := []string{"NODE_OPTIONS=" + options}
		size, given := node.HeapGiven([]string{"node", word}, env)
		if size < 0 || size > 0 && !given {
			t.Fatalf("HeapGiven(%q, %q) = %d, %v", word, options, size, given)
		}
		if given {
			return
		}
		added := node.AddNodeOption(env, node.HeapOption(77))
		if size, given := node.HeapGiven([]string{"node", word}, added); size != 77 || !given {
			t.Fatalf("of %q it finds %d, %v", added, size, given)
		}
	})
}

func TestAddNodeOption(t *testing.T) {
	t.Parallel()
	option := node.HeapOption(114)
	for _, c := range []struct{ env, want []string }{
		{nil, []string{"NODE_OPTIONS=" + option}},
		{[]string{"NODE_OPTIONS="}, []string{"NODE_OPTIONS=" + option}},
		{[]string{"A=1", "B=2"}, []string{"A=1", "B=2", "NODE_OPTIONS=" + option}},
		{[]string{"NODE_OPTIONS=--no-warnings", "A=1"}, []string{"A=1", "NODE_OPTIONS=--no-warnings " + option}},
		{[]string{"NODE_OPTIONS=-r ./a b", "MY_NODE_OPTIONS=x", "NODE_OPTIONS=second"}, []string{"MY_NODE_OPTIONS=x", "NODE_OPTIONS=-r ./a b " + option}},
	} {
		before := fmt.Sprint(c.env)
		if got := node.AddNodeOption(c.env, option); !slices.Equal(got, c.want) {
			t.Errorf("AddNodeOption(%q) = %q, want %q", c.env, got, c.want)
		}
		if after := fmt.Sprint(c.env); after != before {
			t.Errorf("AddNodeOption made %q of %q", after, before)
		}
	}
}
