package node_test

import (
	"slices"
	"testing"

	"github.com/nodeinit/nodeinit/node"
)

func TestWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`node migrate.js`:           {"node", "migrate.js"},
		" a\t b\n":                  {"a", "b"},
		`a "b c" 'd e'f`:            {"a", "b c", "d ef"},
		`"" ''`:                     {"", ""},
		`a\ b \"`:                   {"a b", `"`},
		`"a\"b\\c\d\$e"`:            {`a"b\c\d$e`},
		`'a\b"c'`:                   {`a\b"c`},
		`sh -c "node a && node $B"`: {"sh", "-c", "node a && node $B"},
		`é\ü`:                       {"éü"},
		"a \\\n b\\\nc \\\n":        {"a", "bc"},
		``:                          nil,
	} {
		got, _, err := node.Words(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("Words(%s) = %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{`a "b`, `a 'b`, `a\`, `"a\`} {
		if got, _, err := node.Words(text); err == nil {
			t.Errorf("Words(%s) = %q, want an error", text, got)
		}
	}
}
