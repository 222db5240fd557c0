package logs

import (
	"math/bits"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendEscaped appends text as the inside of a JSON string, as much of it as ends before
// offset end of dst, and returns how many bytes of text that is: whole characters. A byte
// that is not UTF-8 becomes the four characters \xHH.
func appendEscaped(dst, text []byte, end int) (_ []byte, n int) {
	if room := end - len(dst); len(text) > room+utf8.UTFMax {
		text = text[:room+utf8.UTFMax] // does not fit whole either
		text = text[:wholeText(text)]
	}
	stops := uint64(highs) // where plain bytes end besides quotes, backslashes and control characters
	if utf8.Valid(text) {
		stops = 0
	}
	for n < len(text) {
		run := plainRun(text[n:], stops)
		if room := end - len(dst); run > room {
			for run = max(room, 0); run > 0 && !utf8.RuneStart(text[n+run]); run-- {
			}
			return append(dst, text[n:n+run]...), n + run
		}
		dst = append(dst, text[n:n+run]...)
		if n += run; n == len(text) {
			break
		}
		before := len(dst)
		var size int
		if dst, size = appendEscape(dst, text[n:]); len(dst) > end {
			return dst[:before], n
		}
		n += size
	}
	return dst, n
}

// plainRun returns the number of bytes at the beginning of text that a JSON string has as
// they are, and that have no bit of stops set.
func plainRun(text []byte, stops uint64) int {
	i := 0
	for ; i+8 <= len(text); i += 8 {
		x := load(&text[i])
		if found := ^plain(x)&highs | x&stops; found != 0 {
			return i + bits.TrailingZeros64(found)>>3
		}
	}
	for ; i < len(text); i++ {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c&byte(stops) != 0 {
			break
		}
	}
	return i
}

// appendEscape appends the first character of text, which has size bytes.
func appendEscape(dst, text []byte) (_ []byte, size int) {
	switch c := text[0]; {
	case c == '"' || c == '\\':
		return append(dst, '\\', c), 1
	case c == '\n':
		return append(dst, `\n`...), 1
	case c == '\r':
		return append(dst, `\r`...), 1
	case c == '\t':
		return append(dst, `\t`...), 1
	case c < ' ':
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15]), 1
	default:
		if _, size := utf8.DecodeRune(text); size > 1 {
			return append(dst, text[:size]...), size
		}
		return append(dst, '\\', '\\', 'x', hexDigits[c>>4], hexDigits[c&15]), 1
	}
}

// wholeText returns the length of text without the beginning of a character at its end:
// what a read or a full buffer may have cut off.
func wholeText(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if end := len(text) - n; utf8.RuneStart(text[end]) {
			if !utf8.FullRune(text[end:]) {
				return end
			}
			break
		}
	}
	return len(text)
}

// stripColors removes the control sequences of terminals (ECMA-48: colours and other
// attributes, movements of the cursor) and operating system commands (titles, links)
// from text, in place. What does not end in text stays.
func stripColors(text []byte) []byte {
	kept := text[:0]
	for i := 0; i < len(text); {
		if n := controlSequence(text[i:]); n > 0 {
			i += n
			continue
		}
		kept = append(kept, text[i])
		i++
	}
	return kept
}

// controlSequence returns the length of the sequence that text begins with, 0 if there
// is none.
func controlSequence(text []byte) int {
	if at(text, 0) != '\x1b' {
		return 0
	}
	switch c := at(text, 1); {
	case c == '[': // CSI: parameters, intermediate bytes and a final byte
		return finalByte(text, '@')
	case c >= ' ' && c < '0': // intermediate bytes: ESC ( B is in what tput sgr0 prints
		return finalByte(text, '0')
	case c == ']': // OSC: up to BEL or ESC \
		for i := 2; i < len(text); i++ {
			if text[i] == '\a' || text[i] == '\\' && text[i-1] == '\x1b' {
				return i + 1
			}
		}
	}
	return 0
}

// finalByte returns the length of a sequence that ends with the first byte behind its two
// that is final or above, 0 if a control character or one that is not ASCII is before it.
func finalByte(text []byte, final byte) int {
	for i := 2; i < len(text); i++ {
		switch c := text[i]; {
		case c < ' ' || c > '~':
			return 0
		case c >= final:
			return i + 1
		}
	}
	return 0
}

// AppendString appends text as a JSON string, in quotes. Unlike in log lines, the control
// characters U+0080 to U+009F are escaped too: some terminals obey them.
func AppendString(dst []byte, text string) []byte {
	const longestEscape = len(`\u0000`)
	dst = append(dst, '"')
	for text != "" {
		n := beforeC1(text)
		dst, _ = appendEscaped(dst, []byte(text[:n]), len(dst)+longestEscape*n)
		if text = text[n:]; text != "" {
			dst = append(dst, `\u00`...)
			dst = append(dst, hexDigits[text[1]>>4], hexDigits[text[1]&15])
			text = text[2:]
		}
	}
	return append(dst, '"')
}

// beforeC1 returns the number of bytes before the first of U+0080 to U+009F, which are
// two bytes each.
func beforeC1(text string) int {
	for i := range len(text) - 1 {
		if text[i] == 0xc2 && text[i+1]>>5 == 0x80>>5 {
			return i
		}
	}
	return len(text)
}
