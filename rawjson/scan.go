package rawjson

import "unicode/utf8"

// maxDepth is how deep arrays and objects may be nested: the limit of encoding/json.
const maxDepth = 10000

// skipValue returns the offset behind the value at i, -1 if there is none. It is without
// recursion, for the stack of a hostile text's reader.
func skipValue(text []byte, i int) int {
	var room [64]byte
	open := room[:0] // what closes the arrays and objects that i is in
	for {
		switch c := at(text, i); c {
		case '{', '[':
			if len(open) == maxDepth {
				return -1
			}
			open = append(open, c+2) // } and ] come two after { and [
			if i = skipSpace(text, i+1); at(text, i) == c+2 {
				break
			}
			if i = skipName(text, i, c+2); i < 0 {
				return -1
			}
			continue
		case '"':
			i = skipString(text, i)
		case 't':
			i = skipLiteral(text, i, "true")
		case 'f':
			i = skipLiteral(text, i, "false")
		case 'n':
			i = skipLiteral(text, i, "null")
		default:
			i = skipNumber(text, i)
		}
		if i < 0 {
			return -1
		}
		for len(open) > 0 {
			i = skipSpace(text, i)
			closing := open[len(open)-1]
			if at(text, i) == closing {
				open = open[:len(open)-1]
				i++
				continue
			}
			if at(text, i) != ',' {
				return -1
			}
			if i = skipName(text, skipSpace(text, i+1), closing); i < 0 {
				return -1
			}
			break
		}
		if len(open) == 0 {
			return i
		}
	}
}

// skipName returns the offset of a value behind the name at i, -1 if there is none. What
// is closed by ] has no names.
func skipName(text []byte, i int, closing byte) int {
	if closing == ']' {
		return i
	}
	if at(text, i) != '"' {
		return -1
	}
	if i = skipString(text, i); i < 0 {
		return -1
	}
	if i = skipSpace(text, i); at(text, i) != ':' {
		return -1
	}
	return skipSpace(text, i+1)
}

// at returns the byte at i, 0 if i is no offset.
func at(text []byte, i int) byte {
	if uint(i) < uint(len(text)) {
		return text[i]
	}
	return 0
}

func skipSpace(text []byte, i int) int {
	for c := at(text, i); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = at(text, i) {
		i++
	}
	return i
}

func skipLiteral(text []byte, i int, literal string) int {
	end := i + len(literal)
	if end > len(text) || string(text[i:end]) != literal {
		return -1
	}
	return end
}

// skipString returns the offset behind the string at i, -1 if it is not valid.
func skipString(text []byte, i int) int {
	for i++; ; i++ {
		switch c := at(text, i); {
		case c == '"':
			return i + 1
		case c < ' ': // also the end of text
			return -1
		case c != '\\':
			continue
		}
		i++
		switch at(text, i) {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		case 'u':
			if hex4(text, i+1) < 0 {
				return -1
			}
			i += 4
		default:
			return -1
		}
	}
}

// hex4 returns the number of four hexadecimal digits at i, -1 if there are none.
func hex4(text []byte, i int) (n rune) {
	for end := i + 4; i < end; i++ {
		switch c := at(text, i); {
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

// skipNumber returns the offset behind the number at i, -1 if there is none.
func skipNumber(text []byte, i int) int {
	if at(text, i) == '-' {
		i++
	}
	if at(text, i) == '0' {
		i++
	} else if i = skipDigits(text, i); i < 0 {
		return -1
	}
	if at(text, i) == '.' {
		if i = skipDigits(text, i+1); i < 0 {
			return -1
		}
	}
	if at(text, i)|0x20 == 'e' {
		if i++; at(text, i) == '+' || at(text, i) == '-' {
			i++
		}
		return skipDigits(text, i)
	}
	return i
}

// skipDigits returns the offset behind one or more digits, -1 if there are none.
func skipDigits(text []byte, i int) int {
	start := i
	for at(text, i)-'0' <= 9 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// unquote returns the text of a valid string.
func unquote(quoted []byte) string {
	text := quoted[1 : len(quoted)-1]
	plain := utf8.Valid(text)
	for _, c := range text {
		plain = plain && c != '\\'
	}
	if plain {
		return string(text)
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		if text[i] != '\\' {
			r, size := utf8.DecodeRune(text[i:])
			out = utf8.AppendRune(out, r)
			i += size
			continue
		}
		i += 2
		switch c := text[i-1]; c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, size := unescape(text[i-2:])
			out = utf8.AppendRune(out, r)
			i += size - 2
		default: // " \ /
			out = append(out, c)
		}
	}
	return string(out)
}

// unescape returns the rune of the \uXXXX, or the pair of them, that text begins with,
// and how many bytes that is. AppendRune writes U+FFFD for half of a pair.
func unescape(text []byte) (r rune, size int) {
	const single = len(`\u0000`)
	r = hex4(text, 2)
	if r>>10 != 0xd800>>10 || at(text, single) != '\\' || at(text, single+1) != 'u' {
		return r, single
	}
	if low := hex4(text, single+2); low>>10 == 0xdc00>>10 {
		return (r-0xd800)<<10 + low - 0xdc00 + 0x10000, 2 * single
	}
	return r, single
}
