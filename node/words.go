package node

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Words splits a command into words as a POSIX shell does: at blanks, with quotes
// and backslashes. Nothing is expanded: $HOME and *.js stay as they are. An error
// says that a quote is not closed, or names an operator outside quotes (&&, |, >),
// which only a shell can carry out.
func Words(command string) ([]string, error) {
	words, _, err := splitWords(command)
	return words, err
}

// splitWords is Words. plain reports whether a shell would make the same words of
// command and do nothing else, as far as that is certain.
func splitWords(command string) (words []string, plain bool, err error) {
	var word []byte // nil between words
	var quote byte  // the quote that is open, 0 for none
	escaped := false
	plain = true
	for i := range len(command) {
		c := command[i]
		plain = plain && isPlain(c, quote)
		switch {
		case escaped && c == '\n': // joins the lines
			escaped = false
		case escaped:
			// In double quotes a backslash is one before any but these (POSIX 2.2.3).
			if quote == '"' && strings.IndexByte("$`\"\\", c) < 0 {
				word = append(word, '\\')
			}
			word = append(word, c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped = true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, word = c, append([]byte{}, word...) // perhaps an empty one ('')
		case quote == 0 && strings.IndexByte(" \t\n", c) >= 0:
			if word != nil {
				words = append(words, string(word))
				word = nil
			}
		case quote == 0 && strings.IndexByte(operators, c) >= 0:
			rest := command[i:]
			return nil, false, fmt.Errorf("%s needs a shell", rest[:len(rest)-len(strings.TrimLeft(rest, operators))])
		default:
			word = append(word, c)
		}
	}
	switch {
	case quote != 0:
		return nil, false, errors.New("a quote is not closed")
	case escaped:
		return nil, false, errors.New("it ends with a backslash")
	case word != nil:
		words = append(words, string(word))
	}
	return words, plain, nil
}

// Characters by what they are to a shell.
const (
	operators = "&|;<>()" // POSIX, 2.10.2
	digits    = "0123456789"
	nameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_" + digits // POSIX, 3.216
)

// isPlain reports whether every shell takes c as it is, or as the end of a word.
// quote is the quote that is open, 0 for none.
func isPlain(c, quote byte) bool {
	switch quote {
	case '\'':
		return true
	case '"':
		return strings.IndexByte("$`\\!", c) < 0
	default:
		return c >= 0x80 || strings.IndexByte(nameChars+" \t'\"-+=:,./@%", c) >= 0
	}
}

// parseSimple reads a shell command of plain or simply quoted words, and returns the
// variables set before it (PORT=80 node server.js). ok is false where it could mean
// anything else to a shell.
func parseSimple(command string) (vars map[string]string, argv []string, ok bool) {
	argv, plain, _ := splitWords(command)
	vars = map[string]string{}
	for ; len(argv) > 0; argv = argv[1:] {
		name, value, assigned := strings.Cut(argv[0], "=")
		if !assigned || !isVariable(name) {
			break
		}
		vars[name] = value
	}
	if len(argv) > 1 && argv[0] == "exec" {
		argv = argv[1:]
	}
	ok = plain && len(argv) > 0 && !strings.Contains(argv[0], "=") && !strings.HasPrefix(argv[0], "-")
	return vars, argv, ok
}

// isVariable reports whether a shell can have a variable of that name.
func isVariable(name string) bool {
	return name != "" && strings.Trim(name, nameChars) == "" && strings.IndexByte(digits, name[0]) < 0
}

// listed reports whether word is one of those in list, which blanks separate. Lists
// of many words are so written: split, each would be made at every start.
func listed(list, word string) bool {
	for other := range strings.FieldsSeq(list) {
		if other == word {
			return true
		}
	}
	return false
}

// mentionsNode reports whether shell code runs Node or a tool that does.
func mentionsNode(text string) bool {
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n;&|()`\"'", r) })
	return slices.ContainsFunc(words, func(word string) bool {
		name := filepath.Base(word)
		return isNode(name) || isWrapper(name) || slices.Contains([]string{".js", ".mjs", ".cjs"}, filepath.Ext(name))
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
	text = withoutRedirections(text)
	if before, after, background := strings.Cut(text, "&"); background && mentionsNode(before) && mentionsNode(after) {
		return true
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n;|(", r) })
	return slices.ContainsFunc(words, func(word string) bool { return slices.Contains(parallelNames, filepath.Base(word)) })
}

// withoutRedirections returns shell code in which & means that a command runs in the
// background: && becomes a semicolon.
func withoutRedirections(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		n := 1
		switch {
		case strings.HasPrefix(text, "&&"):
			n = len("&&")
			b.WriteByte(';')
		case strings.HasPrefix(text, "2>&1"), strings.HasPrefix(text, "1>&2"):
			n = len("2>&1")
		case strings.HasPrefix(text, ">&2"):
			n = len(">&2")
		case strings.HasPrefix(text, "&>"):
			n = len("&>")
		default:
			b.WriteByte(text[0])
		}
		text = text[n:]
	}
	return b.String()
}

// endsWord reports whether r ends a word of shell code, roughly: well enough to
// find options and variables.
func endsWord(r rune) bool { return strings.ContainsRune(" \t\n;&|(`\"'", r) }
