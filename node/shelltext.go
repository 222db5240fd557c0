package node

import (
	"path/filepath"
	"slices"
	"strings"
)

// isNode reports whether name is node, nodejs or node22.
func isNode(name string) bool {
	rest, ok := strings.CutPrefix(name, "node")
	return ok && strings.Trim(strings.TrimPrefix(rest, "js"), "-.0123456789") == ""
}

// mentionsNode reports whether shell code runs Node or a tool that does.
func mentionsNode(text string) bool {
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n;&|()`\"'", r) })
	return slices.ContainsFunc(words, func(word string) bool {
		name := filepath.Base(word)
		return isNode(name) || slices.Contains(wrapperNames, name) || slices.Contains([]string{".js", ".mjs", ".cjs"}, filepath.Ext(name))
	})
}

// resetsOptions reports whether shell code sets NODE_OPTIONS and drops what it was.
func resetsOptions(text string) bool {
	if strings.Contains(text, "$NODE_OPTIONS") || strings.Contains(text, "${NODE_OPTIONS") {
		return false
	}
	return slices.ContainsFunc(strings.FieldsFunc(text, endsWord), func(word string) bool { return strings.HasPrefix(word, "NODE_OPTIONS=") })
}

// startsSeveral reports whether shell code runs several programs at the same time.
func startsSeveral(text string) bool {
	text = strings.NewReplacer("&&", ";", "2>&1", "", ">&2", "", "1>&2", "", "&>", "").Replace(text)
	if before, after, background := strings.Cut(text, "&"); background && mentionsNode(before) && mentionsNode(after) {
		return true
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n;|(", r) })
	return slices.ContainsFunc(words, func(word string) bool { return slices.Contains(parallelNames, filepath.Base(word)) })
}

// endsWord reports whether r ends a word of shell code, roughly: well enough to
// find options and variables.
func endsWord(r rune) bool { return strings.ContainsRune(" \t\n;&|(`\"'", r) }
