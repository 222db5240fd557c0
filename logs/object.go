package logs

import (
	"math/bits"
	"unsafe"
)

// An object is what scan finds out about a JSON object.
type object struct {
	keys  keyBits
	level int // offset behind the colon of the last top-level "level"; 0: none
	end   int // offset of the last }
}

// empty reports whether the object has no members.
func (o object) empty(line []byte) bool {
	i := o.end - 1
	for isSpace(line[i]) {
		i--
	}
	return line[i] == '{'
}

// validObject reports whether line is one JSON object, with or without white space
// around it.
func validObject(line []byte) bool {
	_, ok := scan(line, &keySet{})
	return ok
}

// maxDepth is the limit of encoding/json for nested objects and arrays.
const maxDepth = 10000

// scan reports whether line is one JSON object (RFC 8259), with or without white space
// around it, and which of the keys it has at its top level. The verdict is that of
// json.Valid, which looks only at ASCII: a string may have bytes that are not UTF-8. It
// is one pass without recursion, unless line is nested more than 64 deep.
func scan(line []byte, keys *keySet) (object, bool) {
	o, state := scanNested(line, keys, nil)
	if state == tooDeep {
		var spill [maxDepth/64 + 1]uint64
		o, state = scanNested(line, keys, spill[:])
	}
	return o, state == valid
}

// A verdict is what scanNested returns.
type verdict uint8

const (
	invalid verdict = iota
	valid
	tooDeep // for spill
)

// scanNested is scan. What is open is a bit in nest, 1 for an object; for each 64 that
// are open, nest moves to spill.
func scanNested(line []byte, keys *keySet, spill []uint64) (o object, _ verdict) {
	var (
		nest    uint64
		depth   int
		start   int
		escaped bool
	)
	i := skipSpace(line, 0)
	if i == len(line) || line[i] != '{' {
		return o, invalid
	}

value:
	if uint(i) >= uint(len(line)) {
		return o, invalid
	}
	switch classes[line[i]] {
	case quote:
		if i, _ = skipString(line, i+1); i < 0 {
			return o, invalid
		}
	case digit:
		if i = skipNumber(line, i); i < 0 {
			return o, invalid
		}
	case opening:
		if depth&63 == 0 && depth > 0 {
			if spill == nil {
				return o, tooDeep
			}
			spill[depth>>6] = nest
		}
		if depth++; depth > maxDepth {
			return o, invalid
		}
		nest = nest<<1 | uint64(line[i]>>5&1) // [ is 0x5b, { is 0x7b
		if i = skipSpace(line, i+1); i == len(line) {
			return o, invalid
		}
		if classes[line[i]] == closing {
			goto next
		}
		if nest&1 != 0 {
			goto key
		}
		goto value
	case letter:
		if i = skipLiteral(line, i); i < 0 {
			return o, invalid
		}
	case space:
		i++
		goto value
	default:
		return o, invalid
	}

next: // a value has ended, or an object or array has just been opened and is empty
	if uint(i) >= uint(len(line)) {
		return o, invalid
	}
	switch c := line[i]; {
	case c == ',':
		i++
		if nest&1 == 0 {
			goto value
		}
	case classes[c] == closing:
		if uint64(c>>5&1) != nest&1 { // ] is 0x5d, } is 0x7d
			return o, invalid
		}
		if depth--; depth == 0 {
			o.end = i
			if skipSpace(line, i+1) != len(line) {
				return o, invalid
			}
			return o, valid
		}
		i++
		nest >>= 1
		if depth&63 == 0 {
			nest = spill[depth>>6]
		}
		goto next
	case classes[c] == space:
		i++
		goto next
	default:
		return o, invalid
	}

key:
	if i = skipSpace(line, i); i == len(line) || line[i] != '"' {
		return o, invalid
	}
	start = i + 1
	if i, escaped = skipString(line, start); i < 0 {
		return o, invalid
	}
	if depth == 1 {
		if found := keys.find(line, start, i-1, escaped); found != 0 {
			o.keys |= found
			if found&ownLevel != 0 {
				o.level = -1
			}
		}
	}
	if i = skipSpace(line, i); i == len(line) || line[i] != ':' {
		return o, invalid
	}
	i++
	if o.level < 0 {
		o.level = i
	}
	goto value
}

// A class is what a value can begin with.
type class uint8

const (
	other class = iota
	space
	quote
	digit   // or the minus of a number
	letter  // that a literal begins with
	opening // { or [
	closing // } or ]
)

var classes = [256]class{
	' ': space, '\t': space, '\n': space, '\r': space,
	'"': quote, '-': digit,
	'0': digit, '1': digit, '2': digit, '3': digit, '4': digit, '5': digit, '6': digit, '7': digit, '8': digit, '9': digit,
	't': letter, 'f': letter, 'n': letter,
	'{': opening, '[': opening, '}': closing, ']': closing,
}

func isSpace(c byte) bool { return classes[c] == space }

// skipSpace returns the offset of the first byte at or behind i that is no white space.
func skipSpace(line []byte, i int) int {
	for i < len(line) && isSpace(line[i]) {
		i++
	}
	return i
}

// skipLiteral returns the offset behind true, false or null, -1 if there is none.
func skipLiteral(line []byte, i int) int {
	literal := "null"
	switch line[i] {
	case 't':
		literal = "true"
	case 'f':
		literal = "false"
	}
	end := i + len(literal)
	if end > len(line) || string(line[i:end]) != literal {
		return -1
	}
	return end
}

// skipNumber returns the offset behind a number, -1 if it is none.
func skipNumber(line []byte, i int) int {
	if line[i] == '-' {
		i++
	}
	switch {
	case i < len(line) && line[i] == '0':
		i++
	default:
		if i = skipDigits(line, i); i < 0 {
			return -1
		}
	}
	if i < len(line) && line[i] == '.' {
		if i = skipDigits(line, i+1); i < 0 {
			return -1
		}
	}
	if i < len(line) && line[i]|0x20 == 'e' {
		i++
		if i < len(line) && (line[i] == '+' || line[i] == '-') {
			i++
		}
		return skipDigits(line, i)
	}
	return i
}

// skipDigits returns the offset behind one or more digits, -1 if there are none.
func skipDigits(line []byte, i int) int {
	start := i
	for i < len(line) && line[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// skipString returns the offset behind the quote that ends the string whose text begins
// at i, -1 if it is none. escaped reports whether the text has a backslash.
func skipString(line []byte, i int) (_ int, escaped bool) {
	for {
		i += plain(line[i:])
		if i >= len(line) {
			return -1, escaped
		}
		switch line[i] {
		case '"':
			return i + 1, escaped
		case '\\':
			escaped = true
			if i = skipEscape(line, i+1); i < 0 {
				return -1, true
			}
		default: // a control character
			return -1, escaped
		}
	}
}

// skipEscape returns the offset behind the escape that goes on at i, after the
// backslash, -1 if it is none.
func skipEscape(line []byte, i int) int {
	if i >= len(line) {
		return -1
	}
	switch line[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if _, ok := hex4(line, i+1); ok {
			return i + 5
		}
	}
	return -1
}

// hex4 returns the number of four hexadecimal digits at i.
func hex4(line []byte, i int) (n rune, ok bool) {
	if i+4 > len(line) {
		return 0, false
	}
	for _, c := range line[i : i+4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		n = n<<4 | rune(c)
	}
	return n, true
}

// plain returns the number of bytes at the beginning of text that a JSON string has as
// they are: up to the first quote, backslash or control character.
func plain(text []byte) int {
	i := 0
	for ; i+8 <= len(text); i += 8 {
		if stops := special(load(text, i)); stops != 0 {
			return i + bits.TrailingZeros64(stops)>>3
		}
	}
	for ; i < len(text); i++ {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' {
			break
		}
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// special returns a word whose lowest set bit is the highest of the first byte of x that
// is a quote, a backslash or a control character, 0 if there is none. A subtraction
// borrows from the next byte only behind such a byte. c ^ 2 is less than 0x21 for control
// characters and quotes.
func special(x uint64) uint64 {
	return ((x ^ 2*ones) - 0x21*ones | (x ^ '\\'*ones) - ones) &^ x & highs
}

// load returns the 8 bytes of b at i, the first one lowest.
func load(b []byte, i int) uint64 {
	_ = b[i+7]
	return *(*uint64)(unsafe.Pointer(&b[i]))
}
