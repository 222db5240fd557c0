package main

import "io"

// Keys that are no letters.
const (
	keyInterrupt = 'C' - '@' // ^C
	keyRedraw    = 'L' - '@'
	keySuspend   = 'Z' - '@'
	keyEscape    = '\x1b'
)

// readKeys passes on what is typed, as it comes, until the terminal has hung up.
func readKeys(from io.Reader, typed func([]byte)) {
	for {
		buffer := make([]byte, 64)
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		typed(buffer[:n])
	}
}

// A keyParser finds the keys in what a terminal sends. Arrows and other keys without a
// character are sequences (ECMA-48), which have letters in them and are no keys of top.
type keyParser struct{ state keyState }

type keyState int

const (
	keyStart   keyState = iota
	keyEscaped          // after ESC
	keyCSI              // after ESC [: parameters, until a byte from @ on
	keySS3              // after ESC O: one byte
)

// parse returns the keys in typed. An ESC at its end is the key: the bytes of a sequence
// come together.
func (p *keyParser) parse(typed []byte) (keys []byte) {
	for _, c := range typed {
		switch {
		case c == keyEscape:
			p.state = keyEscaped
		case p.state == keyEscaped && c == '[':
			p.state = keyCSI
		case p.state == keyEscaped && c == 'O':
			p.state = keySS3
		case p.state == keyStart || c < ' ': // a control character is one in a sequence too
			p.state = keyStart
			keys = append(keys, c)
		case p.state == keyCSI && c < '@':
		default: // the end of a sequence, or a key with Alt
			p.state = keyStart
		}
	}
	if p.state == keyEscaped {
		p.state = keyStart
		keys = append(keys, keyEscape)
	}
	return keys
}
