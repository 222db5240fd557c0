package logs

import "bytes"

// nodeVersion begins the last line that Node prints before an uncaught exception ends it.
const nodeVersion = "Node.js v"

// uncaught returns how many of the lines that follow belong to line, if it begins the text
// that Node prints for an uncaught exception (src/node_errors.cc, PrintException):
//
//	/app/a.js:1
//	throw new Error('no')
//	^
//
//	Error: no
//	    at Object.<anonymous> (/app/a.js:1:7)
//
//	Node.js v24.21.0
//
// Node writes all up to the stack at once, and the version by another write. If that has
// not arrived, lines behind the message are joined only as in any stack trace.
func uncaught(line, next []byte) int {
	if bytes.HasPrefix(next, []byte(nodeVersion)) && len(line) == 0 {
		return 1
	}
	if !endsInNumber(line) {
		return 0
	}
	_, rest, _ := bytes.Cut(next, []byte("\n")) // the source
	carets, rest, _ := bytes.Cut(rest, []byte("\n"))
	if !underlines(carets) {
		return 0
	}
	const sourceAndCarets = 2
	rest = rest[:min(len(rest), maxTextLine)]
	if end := bytes.Index(rest, []byte("\n\n"+nodeVersion)); end >= 0 {
		return sourceAndCarets + bytes.Count(rest[:end], []byte("\n")) + 3
	}
	if !bytes.HasPrefix(rest, []byte("\n")) { // no error was thrown, but a value
		return sourceAndCarets
	}
	message := max(1, bytes.Index(rest, []byte("\n    at ")))
	return sourceAndCarets + 1 + bytes.Count(rest[:message], []byte("\n"))
}

// endsInNumber reports whether line ends in a colon and a number.
func endsInNumber(line []byte) bool {
	n := len(line)
	for n > 0 && line[n-1] >= '0' && line[n-1] <= '9' {
		n--
	}
	return n < len(line) && n > 1 && line[n-1] == ':'
}

// underlines reports whether line is carets behind white space.
func underlines(line []byte) bool {
	carets := bytes.TrimLeft(line, " \t")
	return len(carets) > 0 && len(bytes.TrimLeft(carets, "^")) == 0
}
