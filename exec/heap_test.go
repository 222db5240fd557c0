package exec_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/exec"
)

const mib = 1 << 20

func TestHeapSize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit   int64
		workers int
		want    int
	}{
		{128 * mib, 1, 64},
		{256 * mib, 1, 114},
		{512 * mib, 1, 306},
		{1024 * mib, 1, 690},
		{1024 * mib, 2, 321},
		{2048 * mib, 4, 328},
		{8192 * mib, 8, 716},
		{512 * mib, 4, 64},
		{189 * mib, 1, 64},
		{190 * mib, 1, 64},
		{191 * mib, 1, 65},
		{40 * mib, 1, 64},
		{mib, 1, 64},
		{1, 1000, 64},
		{0, 1, 64},
		{1 << 50, 1, 1<<30*3/4 - 30 - 48},
		{math.MaxInt64, 1, math.MaxInt32 - 48},
	} {
		if got := exec.HeapSize(c.limit, c.workers); got != c.want {
			t.Errorf("HeapSize(%d, %d) = %d, want %d", c.limit, c.workers, got, c.want)
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
		size, given := exec.HeapGiven(strings.Split(c.argv, "|"), env)
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
		size, given := exec.HeapGiven([]string{"node", word}, env)
		if size < 0 || size > 0 && !given {
			t.Fatalf("HeapGiven(%q, %q) = %d, %v", word, options, size, given)
		}
		if given {
			return
		}
		added := exec.AddNodeOption(env, exec.HeapOption(77))
		if size, given := exec.HeapGiven([]string{"node", word}, added); size != 77 || !given {
			t.Fatalf("of %q it finds %d, %v", added, size, given)
		}
	})
}

func TestAddNodeOption(t *testing.T) {
	t.Parallel()
	option := exec.HeapOption(114)
	for _, c := range []struct{ env, want []string }{
		{nil, []string{"NODE_OPTIONS=" + option}},
		{[]string{"NODE_OPTIONS="}, []string{"NODE_OPTIONS=" + option}},
		{[]string{"A=1", "B=2"}, []string{"A=1", "B=2", "NODE_OPTIONS=" + option}},
		{[]string{"NODE_OPTIONS=--no-warnings", "A=1"}, []string{"A=1", "NODE_OPTIONS=--no-warnings " + option}},
		{[]string{"NODE_OPTIONS=-r ./a b", "MY_NODE_OPTIONS=x", "NODE_OPTIONS=second"}, []string{"MY_NODE_OPTIONS=x", "NODE_OPTIONS=-r ./a b " + option}},
	} {
		before := fmt.Sprint(c.env)
		if got := exec.AddNodeOption(c.env, option); !slices.Equal(got, c.want) {
			t.Errorf("AddNodeOption(%q) = %q, want %q", c.env, got, c.want)
		}
		if after := fmt.Sprint(c.env); after != before {
			t.Errorf("AddNodeOption made %q of %q", after, before)
		}
	}
}
