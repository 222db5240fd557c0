package node_test

import (
	"fmt"
	"slices"
	"strings"
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
		`a \&\& '|' $B *.js`:        {"a", "&&", "|", "$B", "*.js"},
		`é\ü`:                       {"éü"},
		"a\xff":                     {"a\xff"},
		"a \\\n b\\\nc \\\n":        {"a", "bc"},
		``:                          nil,
	} {
		got, err := node.Words(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("Words(%s) = %q, %v, want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		`a "b`: "a quote is not closed", `a 'b`: "a quote is not closed", `"a\`: "a quote is not closed", `a\`: "it ends with a backslash",
		`a && b`: "&& needs a shell", `a&b`: "& needs a shell", `a | b`: "| needs a shell", `a 2>&1`: ">& needs a shell", `(a)`: "( needs a shell",
	} {
		if got, err := node.Words(text); err == nil || err.Error() != want {
			t.Errorf("Words(%s) = %q, %v, want the error %q", text, got, err, want)
		}
	}
}

func ExampleWords() {
	words, err := node.Words(`node migrate.js --name "two words"`)
	fmt.Println(strings.Join(words, ", "), err)
	_, err = node.Words("node migrate.js && node server.js")
	fmt.Println(err)
	// Output:
	// node, migrate.js, --name, two words <nil>
	// && needs a shell
}
