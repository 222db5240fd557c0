package logs

import (
	"bytes"
	"unicode/utf8"
)

// ellipsis stands for what was cut off a value or a line.
const ellipsis = "..."

// fit returns a copy of line with at most maxOwnLine bytes. In a JSON object the longest
// strings are shortened; a line of text loses its end.
func fit(line []byte) []byte {
	if len(line) <= maxOwnLine {
		return bytes.Clone(line)
	}
	if bytes.HasPrefix(line, []byte("{")) {
		for limit := maxOwnLine / 2; limit >= 16; limit /= 2 {
			if short := shorten(line, limit); len(short) <= maxOwnLine {
				return short
			}
		}
	}
	end := maxOwnLine - len(ellipsis) - 1
	for end > 0 && !utf8.RuneStart(line[end]) {
		end--
	}
	return append(bytes.Clone(line[:end]), ellipsis+"\n"...)
}

// shorten returns a copy of a JSON object in which strings with more than limit bytes,
// as they are written, are cut off.
func shorten(line []byte, limit int) []byte {
	var short []byte
	for i := 0; i < len(line); i++ {
		short = append(short, line[i])
		if line[i] != '"' {
			continue
		}
		text := line[i+1 : i+1+stringLength(line[i+1:])]
		i += len(text)
		if len(text) > limit {
			text = append(bytes.Clone(text[:wholeCharacters(text, limit)]), ellipsis...)
		}
		short = append(short, text...)
		if i++; i < len(line) {
			short = append(short, '"')
		}
	}
	return short
}

// stringLength returns the length of a JSON string up to the quote at its end.
func stringLength(text []byte) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(text)
}

// wholeCharacters returns the length of the longest prefix of a JSON string that has at
// most limit bytes and does not end inside a character or escape.
func wholeCharacters(text []byte, limit int) int {
	whole := 0
	for {
		size := 0
		switch _, n := utf8.DecodeRune(text[whole:]); {
		case text[whole] != '\\':
			size = n
		case whole+1 < len(text) && text[whole+1] == 'u': // RFC 8259, 7
			size = len(`\u0000`)
		default:
			size = len(`\n`)
		}
		if whole+size > limit {
			return whole
		}
		whole += size
	}
}
