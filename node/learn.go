package node

import (
	"slices"
	"strings"

	"github.com/nodeinit/nodeinit/exec"
)

// WithoutAdded returns the environment told of a process below a worker as it was to
// be without nodeinit. given is what nodeinit started the worker with, before
// what that was before nodeinit added to it. What others have changed since
// stays changed.
func WithoutAdded(told, given, before []string) []string {
	var env []string
	for _, kv := range told {
		key, value, _ := strings.Cut(kv, "=")
		switch {
		case key == "NODE_OPTIONS":
			if value = withoutWords(value, addedWords(exec.Getenv(given, key), exec.Getenv(before, key))); value != "" {
				env = append(env, key+"="+value)
			}
		case slices.Contains(ownVariables, key):
		case slices.Contains(given, kv) && !slices.Contains(before, kv):
			if at := slices.IndexFunc(before, func(other string) bool { return strings.HasPrefix(other, key+"=") }); at >= 0 {
				env = append(env, before[at])
			}
		default:
			env = append(env, kv)
		}
	}
	return env
}

// addedWords returns the words of after that are not in before.
func addedWords(after, before string) []string {
	known := strings.Fields(before)
	return slices.DeleteFunc(strings.Fields(after), func(word string) bool { return slices.Contains(known, word) })
}

func withoutWords(text string, words []string) string {
	if !slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) }) {
		return text
	}
	return strings.Join(slices.DeleteFunc(strings.Fields(text), func(word string) bool { return slices.Contains(words, word) }), " ")
}
