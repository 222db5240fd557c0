package exec

import (
	"maps"
	"slices"
	"strings"
)

// Getenv returns the value of key in env, "" if it is not set. Of several the first
// counts, as in getenv(3).
func Getenv(env []string, key string) string {
	for _, kv := range env {
		if value, ok := strings.CutPrefix(kv, key+"="); ok {
			return value
		}
	}
	return ""
}

// Setenv returns a copy of env in which vars are set.
func Setenv(env []string, vars map[string]string) []string {
	kept := slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		key, _, _ := strings.Cut(kv, "=")
		_, replaced := vars[key]
		return replaced
	})
	for _, key := range slices.Sorted(maps.Keys(vars)) {
		kept = append(kept, key+"="+vars[key])
	}
	return kept
}
