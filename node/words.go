package node

import (
	"errors"
	"strings"
)

// Words splits text as a shell splits words: at blanks, with quotes and
// backslashes. Nothing is expanded. special are the characters of it, in their
// order, that mean more to a shell than that, such as & or $; "" for a text that a
// shell would split in the same way.
func Words(text string) (words []string, special string, err error) {
	var word, found strings.Builder
	begun, escaped := false, false
	quote := rune(0)
	for _, r := range text {
		if isSpecial(r, quote) {
			found.WriteRune(r)
		}
		switch {
		case escaped && r == '\n': // the line goes on
			escaped = false
		case escaped:
			// In double quotes a backslash is one before any but these (POSIX 2.2.3).
			if quote == '"' && !strings.ContainsRune(`$`+"`"+`"\`, r) {
				word.WriteByte('\\')
			}
			word.WriteRune(r)
			escaped, begun = false, true
		case r == '\\' && quote != '\'':
			escaped = true
		case r == quote && quote != 0:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, begun = r, true
		case quote == 0 && strings.ContainsRune(" \t\n", r):
			if begun {
				words = append(words, word.String())
				word.Reset()
				begun = false
			}
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	switch {
	case quote != 0:
		return nil, found.String(), errors.New("a quote is not closed")
	case escaped:
		return nil, found.String(), errors.New("it ends with a backslash")
	case begun:
		words = append(words, word.String())
	}
	return words, found.String(), nil
}

// isSpecial reports whether r may mean more to a shell than a character of a word
// does, a blank or a quote.
func isSpecial(r, quote rune) bool {
	switch quote {
	case '\'':
		return false
	case '"':
		return strings.ContainsRune("$`\\!", r)
	default:
		return r < 0x80 && !isLetterOrDigit(byte(r)) && !strings.ContainsRune("_-+=:,./@% \t'\"", r)
	}
}

func isLetterOrDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}
