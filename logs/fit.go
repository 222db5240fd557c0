package logs

import (
	"bytes"
	"unicode/utf8"
)

// more stands for what was left out of a value or a line.
const more = "..."

// fit returns a copy of line that has at most maxLine bytes. In an object of JSON
// the longest strings are shortened until it has; a line of text loses its end.
func fit(line []byte) []byte {
	if len(line) <= maxLine {
		return bytes.Clone(line)
	}
	if bytes.HasPrefix(line, []byte("{")) {
		for most := maxLine / 2; most >= 16; most /= 2 {
			if short := shorten(line, most); len(short) <= maxLine {
				return short
			}
		}
	}
	end := maxLine - len(more) - 1
	for end > 0 && !utf8.RuneStart(line[end]) {
		end--
	}
	return append(bytes.Clone(line[:end]), more+"\n"...)
}

// shorten returns a copy of an object of JSON whose strings have at most so many
// bytes, escapes as they are written, and a mark where that is not all.
func shorten(line []byte, most int) []byte {
	var short []byte
	for i := 0; i < len(line); i++ {
		short = append(short, line[i])
		if line[i] != '"' {
			continue
		}
		text := line[i+1 : i+1+stringLength(line[i+1:])]
		i += len(text)
		if len(text) > most {
			text = append(bytes.Clone(text[:wholeCharacters(text, most)]), more...)
		}
		short = append(short, text...)
		if i++; i < len(line) {
			short = append(short, '"')
		}
	}
	return short
}

// stringLength returns the length of a string of JSON up to the quote at its end.
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

// wholeCharacters returns the length of the longest beginning of a string of JSON
// that has at most so many bytes and ends within no character or escape.
func wholeCharacters(text []byte, most int) int {
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
		if whole+size > most {
			return whole
		}
		whole += size
	}
}
