package logs

import "strconv"

// ownLevel returns the level of an object from its "level", and whether that is a number.
// Where it has none that is known, the level is that of its stream.
func (o object) ownLevel(line []byte, stream level) (_ level, numeric bool) {
	if o.keys&ownLevel == 0 {
		return stream, false
	}
	colon := skipSpace(line, o.level)
	start := skipSpace(line, colon+1)
	switch tokens[0][line[start]] {
	case digit:
		return numericLevel(line[start:skipNumber(line, start)]), true
	case quote:
		end := skipString(line, start+1)
		if l, ok := wordLevel(line[start+1 : end]); ok {
			return l, false
		}
	}
	return stream, false
}

// numericLevel returns the level of a number as pino and bunyan write it, 10 for trace up
// to 60 for fatal; one in between is the next lower.
func numericLevel(number []byte) level {
	if len(number) == 2 && number[0] != '-' {
		return min(max(level(number[0]-'0'), 1)-1, fatal)
	}
	n, err := strconv.ParseFloat(string(number), 64) // of a valid number it says no more than that it is too large
	switch {
	case n < 20:
		return trace
	case n >= 60 || err != nil:
		return fatal
	default:
		return level(n/10) - 1
	}
}

// wordLevel returns the level of a word, which is the text of a JSON string, in any case:
// those of pino, bunyan, winston's three sets and NestJS.
func wordLevel(text []byte) (level, bool) {
	var buf [16]byte // no word is longer
	word := buf[:unescape(buf[:], text)]
	for i, c := range word {
		if c >= 'A' && c <= 'Z' {
			word[i] = c | 0x20
		}
	}
	switch string(word) {
	case "trace", "silly":
		return trace, true
	case "debug", "verbose":
		return debug, true
	case "info", "information", "log", "http", "notice":
		return info, true
	case "warn", "warning":
		return warn, true
	case "error", "err":
		return fault, true
	case "fatal", "critical", "crit", "alert", "emerg", "emergency", "panic":
		return fatal, true
	}
	return 0, false
}
