package logs

import "math/bits"

// An object is what scan finds out about a JSON object.
type object struct {
	keys  keyBits
	level int // offset behind the last top-level key "level"
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
// json.Valid, which lets strings have bytes that are not UTF-8. It is one pass without
// recursion, or two if line is nested more than 64 deep.
func scan(line []byte, keys *keySet) (object, bool) {
	s := scanner{keys: keys, block: -1}
	ok := s.scan(line)
	if s.tooDeep {
		var spill [maxDepth/64 + 1]uint64
		s = scanner{keys: keys, block: -1, spill: spill[:]}
		ok = s.scan(line)
	}
	return s.object, ok
}

// A scanner is the state of scan that is not needed for each byte, so that the rest stays
// in registers.
type scanner struct {
	object
	keys *keySet

	depth   int      // objects and arrays that are open
	nest    uint64   // a bit for each, the innermost lowest, 1 for an object
	spill   []uint64 // nest for each 64 of them
	tooDeep bool     // for spill

	stops     uint64 // stopsOf a block of 64 bytes
	block     int    // its number
	backslash int    // offset of the last one
}

// scan goes from one token to the next. Functions that find no token return -1, which is
// no offset of a byte either.
func (s *scanner) scan(line []byte) bool {
	var stops uint64
	start := 0 // offset of the text of a key; 0: the string is a value
	i := skipSpace(line, 0)
	if at(line, i) != '{' {
		return false
	}
value:
	switch c := at(line, i); classes[c] {
	case quote:
		start = 0
		goto text
	case digit:
		start = i
		for i++; at(line, i)-'0' <= 9; i++ {
		}
		if c <= '0' || classes[at(line, i)] < comma { // not just an integer
			i = skipNumber(line, start)
		}
	case letter:
		i = skipLiteral(line, i)
	case opening:
		i = s.open(line, i)
		if classes[at(line, i)] != closing {
			goto member
		}
	case space:
		i++
		goto value
	default:
		return false
	}
next: // a value has ended, or an object or array has been opened that has none
	switch classes[at(line, i)] {
	case comma:
		i++
		goto member
	case closing:
		i = s.close(line, i)
		if s.depth == 0 {
			return i == len(line)
		}
		goto next
	case space:
		i++
		goto next
	default:
		return false
	}
member:
	if s.nest&1 == 0 {
		goto value
	}
	if at(line, i) != '"' {
		if i = skipSpace(line, i); at(line, i) != '"' {
			return false
		}
	}
	start = i + 1
text:
	i++
stop: // the next one is the end of the string, a backslash or an error
	if i>>6 != s.block {
		if uint(i) >= uint(len(line)) {
			return false
		}
		s.block, s.stops = i>>6, stopsOf(line, i&^63)
	}
	stops = s.stops >> (i & 63)
	if stops == 0 {
		i = i | 63 + 1
		goto stop
	}
	i += bits.TrailingZeros64(stops)
	if at(line, i) != '"' {
		s.backslash = i
		i = skipEscape(line, i)
		goto stop
	}
	i++
	if start == 0 {
		goto next
	}
	if s.depth == 1 && s.keys.firsts>>(line[start]&63)&1 != 0 {
		s.onKey(line, start, i-1)
	}
	if at(line, i) != ':' {
		if i = skipSpace(line, i); at(line, i) != ':' {
			return false
		}
	}
	i++
	goto value
}

// open returns the offset of the next token behind the [ or { at i.
func (s *scanner) open(line []byte, i int) int {
	if s.depth&63 == 0 && s.depth > 0 {
		if s.spill == nil {
			s.tooDeep = true
			return -1
		}
		s.spill[s.depth>>6] = s.nest
	}
	if s.depth++; s.depth > maxDepth {
		return -1
	}
	s.nest = s.nest<<1 | isObject(line[i])
	return skipSpace(line, i+1)
}

// close returns the offset of the next token behind the ] or } at i.
func (s *scanner) close(line []byte, i int) int {
	if isObject(line[i]) != s.nest&1 {
		return -1
	}
	s.end = i
	s.depth--
	s.nest >>= 1
	if s.depth&63 == 0 && s.depth > 0 {
		s.nest = s.spill[s.depth>>6]
	}
	return skipSpace(line, i+1)
}

// isObject returns 1 for { and }, 0 for [ and ].
func isObject(c byte) uint64 { return uint64(c >> 5 & 1) }

// onKey is called with the text of a top-level key that may be wanted.
func (s *scanner) onKey(line []byte, start, end int) {
	found := s.keys.find(line[start:end], s.backslash >= start)
	if found&ownLevel != 0 {
		s.level = end + 1
	}
	s.object.keys |= found
}
