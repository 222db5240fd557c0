package node

import (
	"errors"
	"fmt"
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
	var word strings.Builder
	inWord := false // perhaps an empty one ('')
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
				word.WriteByte('\\')
			}
			word.WriteByte(c)
			escaped, inWord = false, true
		case c == '\\' && quote != '\'':
			escaped = true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inWord = c, true
		case quote == 0 && strings.IndexByte(" \t\n", c) >= 0:
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		case quote == 0 && strings.IndexByte(operators, c) >= 0:
			rest := command[i:]
			return nil, false, fmt.Errorf("%s needs a shell", rest[:len(rest)-len(strings.TrimLeft(rest, operators))])
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	switch {
	case quote != 0:
		return nil, false, errors.New("a quote is not closed")
	case escaped:
		return nil, false, errors.New("it ends with a backslash")
	case inWord:
		words = append(words, word.String())
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
