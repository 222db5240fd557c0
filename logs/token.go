package logs

import (
	"math"
	"math/bits"
	"runtime"
	"unsafe"
)

// A class is what a token begins with.
type class uint8

const (
	other class = iota
	space
	quote
	digit   // or the minus of a number
	letter  // of a literal
	opening // { or [
	comma
	closing // } or ]
)

// tokens has the classes where a value or its end is expected, and where a key is.
var tokens = [2][256]class{
	{
		' ': space, '\t': space, '\n': space, '\r': space,
		'"': quote, '-': digit,
		'0': digit, '1': digit, '2': digit, '3': digit, '4': digit, '5': digit, '6': digit, '7': digit, '8': digit, '9': digit,
		't': letter, 'f': letter, 'n': letter,
		'{': opening, '[': opening, ',': comma, '}': closing, ']': closing,
	},
	{' ': space, '\t': space, '\n': space, '\r': space, '"': quote},
}

// none is what functions return that do not find a token.
const none = math.MaxInt / 2

// at returns the byte at i, 0 if i is no offset.
func at(line []byte, i int) byte {
	if uint(i) < uint(len(line)) {
		return line[i]
	}
	return 0
}

func isSpace(c byte) bool { return tokens[0][c] == space }

// skipSpace returns the offset of the first byte at or behind i that is no white space.
func skipSpace(line []byte, i int) int {
	for isSpace(at(line, i)) {
		i++
	}
	return i
}

// expect returns the offset of the first byte at or behind i that is no white space, none
// if it is not c.
func expect(line []byte, i int, c byte) int {
	if uint(i) < uint(len(line)) && line[i] == c {
		return i
	}
	return expectLater(line, i, c)
}

//go:noinline
func expectLater(line []byte, i int, c byte) int {
	if i = skipSpace(line, i); at(line, i) != c {
		return none
	}
	return i
}

// skipLiteral returns the offset behind the literal at i.
func skipLiteral(line []byte, i int) int {
	literal := "null"
	switch at(line, i) {
	case 't':
		literal = "true"
	case 'f':
		literal = "false"
	}
	end := i + len(literal)
	if end > len(line) || string(line[i:end]) != literal {
		return none
	}
	return end
}

// skipNumber returns the offset behind the number at i.
func skipNumber(line []byte, i int) int {
	if at(line, i) == '-' {
		i++
	}
	if at(line, i) == '0' {
		i++
	} else {
		i = skipDigits(line, i)
	}
	if at(line, i) == '.' {
		i = skipDigits(line, i+1)
	}
	if at(line, i)|0x20 == 'e' {
		if i++; at(line, i) == '+' || at(line, i) == '-' {
			i++
		}
		i = skipDigits(line, i)
	}
	return i
}

// skipDigits returns the offset behind one or more digits.
func skipDigits(line []byte, i int) int {
	if end := afterDigits(line, i); end > i {
		return end
	}
	return none
}

// afterDigits returns the offset of the first byte at or behind i that is no digit.
func afterDigits(line []byte, i int) int {
	for uint(i) < uint(len(line)) && line[i]-'0' <= 9 {
		i++
	}
	return i
}

// skipString returns the offset of the quote that ends a valid string whose text begins
// at i.
func skipString(line []byte, i int) int {
	for ; line[i] != '"'; i++ {
		if line[i] == '\\' {
			i++
		}
	}
	return i
}

// skipEscape returns the offset behind the escape at i.
func skipEscape(line []byte, i int) int {
	if at(line, i) != '\\' {
		return none
	}
	switch at(line, i+1) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if hex4(line, i+2) >= 0 {
			return i + 6
		}
	}
	return none
}

// hex4 returns the number of four hexadecimal digits at i, -1 if it is none.
func hex4(line []byte, i int) (n rune) {
	for end := i + 4; i < end; i++ {
		switch c := at(line, i); {
		case c-'0' <= 9:
			n = n<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			n = n<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return n
}

// stopsOf returns a bit for each of the 64 bytes at i: whether it is a quote, a backslash
// or a control character, which a string has only as its end, escaped or not at all. The
// bits of bytes behind the end of line are set too.
func stopsOf(line []byte, i int) uint64 {
	n := len(line) - i
	switch {
	case n >= 64:
		return stopsIn((*[64]byte)(line[i:]))
	case i > 0:
		return stopsIn((*[64]byte)(line[len(line)-64:]))>>(64-n) | ^uint64(0)<<n
	default:
		var short [64]byte // zeros are control characters
		copy(short[:], line)
		return stopsIn(&short)
	}
}

func stopsIn(b *[64]byte) uint64 {
	return ^(plain64(b, 0) | plain64(b, 8) | plain64(b, 16) | plain64(b, 24) |
		plain64(b, 32) | plain64(b, 40) | plain64(b, 48) | plain64(b, 56))
}

// plain64 returns the bits of the 8 bytes at i that are no stops.
func plain64(b *[64]byte, i int) uint64 {
	return plain(load(&b[i])) & highs * 0x0002040810204081 >> 56 << i
}

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// load returns the 8 bytes from b on, the first one lowest.
func load(b *byte) uint64 {
	x := *(*uint64)(unsafe.Pointer(b))
	if bigEndian {
		x = bits.ReverseBytes64(x)
	}
	return x
}

const bigEndian = runtime.GOARCH == "s390x" || runtime.GOARCH == "ppc64" || runtime.GOARCH == "mips" || runtime.GOARCH == "mips64"

// plain returns a word with the highest bit of each byte of x set that is neither a quote
// nor a backslash nor a control character. c ^ 2 is less than 0x21 for quotes and control
// characters. No subtraction borrows from the next byte. The other bits say nothing.
func plain(x uint64) uint64 {
	y := x | highs
	return ((y^2*ones)-0x21*ones)&((y^'\\'*ones)-ones) | x
}
