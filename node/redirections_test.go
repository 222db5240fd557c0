package node

import (
	"strings"
	"testing"
)

// Redirections are taken away from left to right, as by a strings.Replacer.
func TestWithoutRedirections(t *testing.T) {
	t.Parallel()
	replacer := strings.NewReplacer("&&", ";", "2>&1", "", ">&2", "", "1>&2", "", "&>", "")
	parts := []string{"a", "&&", "&", ">", "2>&1", ">&2", "1>&2", "&>", "2", "1"}
	for _, a := range parts {
		for _, b := range parts {
			for _, c := range parts {
				for _, d := range parts {
					text := a + b + c + d
					if got, want := withoutRedirections(text), replacer.Replace(text); got != want {
						t.Errorf("%q: %q, want %q", text, got, want)
					}
				}
			}
		}
	}
}
