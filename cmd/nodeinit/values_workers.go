package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// workers is how many workers there are to be: so many, one for each CPU that
// may be used, or, as zero value, as many as the limits are good for.
type workers struct {
	most  bool
	fixed int
}

// mostWorkers is more than any machine has CPUs, and no mistyped port.
const mostWorkers = 1024

func (w *workers) UnmarshalText(b []byte) error {
	switch string(b) {
	case "auto":
		*w = workers{}
	case "max":
		*w = workers{most: true}
	default:
		n, err := strconv.Atoi(string(b))
		if err != nil || n < 1 || n > mostWorkers {
			return fmt.Errorf("%q is neither auto nor max nor a number from 1 to %d (try auto)", b, mostWorkers)
		}
		*w = workers{fixed: n}
	}
	return nil
}

func (w workers) String() string {
	switch {
	case w.most:
		return "max"
	case w.fixed == 0:
		return "auto"
	default:
		return strconv.Itoa(w.fixed)
	}
}

// A number is a whole one, not negative.
type number int

func (n *number) UnmarshalText(b []byte) error {
	v, err := strconv.Atoi(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a number (try 3)", b)
	}
	*n = number(v)
	return nil
}

func (n number) String() string { return strconv.Itoa(int(n)) }

// A command is a program and its arguments.
type command []string

func (c *command) UnmarshalText(b []byte) error {
	words, err := splitWords(string(b))
	if err != nil {
		return fmt.Errorf("%q: %w (try \"node migrate.js\")", b, err)
	}
	if len(words) == 0 {
		return fmt.Errorf("%q is no command (try \"node migrate.js\")", b)
	}
	*c = words
	return nil
}

func (c command) String() string { return strings.Join(c, " ") }

// splitWords splits as a shell splits words: at blanks, with quotes and
// backslashes. Nothing is expanded.
func splitWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	begun := false
	quote := rune(0)
	escaped := false
	for _, r := range text {
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
		return nil, errors.New("a quote is not closed")
	case escaped:
		return nil, errors.New("it ends with a backslash")
	case begun:
		words = append(words, word.String())
	}
	return words, nil
}
