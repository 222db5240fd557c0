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

// scan goes from token to token. A function that does not find its token returns none,
// which is no offset of a byte, so that the next one does not find its token either.
func (s *scanner) scan(line []byte) bool {
	i := expect(line, 0, '{')
	key := uint64(0) // 1 where a key is expected, 0 where a value is
	for {
		switch c := at(line, i); tokens[key&1][c] {
		case quote:
			start := i + 1
			for i++; ; {
				if i>>6 != s.block && !s.load(line, i) {
					return false
				}
				stops := s.stops >> (i & 63)
				if stops == 0 {
					i = i | 63 + 1
					continue
				}
				if i += bits.TrailingZeros64(stops); at(line, i) == '"' {
					break
				}
				i = s.escape(line, i)
			}
			if key != 0 {
				s.onKey(line, start, i)
				i = expect(line, i+1, ':') + 1
				key = 0
				continue
			}
			i++
		case digit:
			start := i
			i = afterDigits(line, i+1)
			if c <= '0' || tokens[0][at(line, i)] < comma { // not just an integer
				i = skipNumber(line, start)
			}
		case letter:
			i = skipLiteral(line, i)
		case opening:
			if i = s.open(line, i); tokens[0][at(line, i)] != closing {
				key = s.nest & 1
				continue
			}
		case space:
			i++
			continue
		default:
			return false
		}
		if at(line, i) != ',' {
			if i = s.close(line, i); s.depth == 0 {
				return i == len(line)
			}
		}
		i++
		key = s.nest & 1
	}
}

// load sets stops to those of the bytes around offset i. It returns false if there is no
// such offset.
func (s *scanner) load(line []byte, i int) bool {
	if uint(i) >= uint(len(line)) {
		return false
	}
	s.block, s.stops = i>>6, stopsOf(line, i&^63)
	return true
}

// escape returns the offset behind the escape at i.
func (s *scanner) escape(line []byte, i int) int {
	s.backslash = i
	return skipEscape(line, i)
}

// open returns the offset of the next token behind the [ or { at i.
func (s *scanner) open(line []byte, i int) int {
	if s.depth&63 == 0 && s.depth > 0 {
		if s.spill == nil {
			s.tooDeep = true
			return none
		}
		s.spill[s.depth>>6] = s.nest
	}
	if s.depth++; s.depth > maxDepth {
		return none
	}
	s.nest = s.nest<<1 | isObject(line[i])
	return skipSpace(line, i+1)
}

// close returns the offset of the next comma, or of the end of line, behind all that is
// closed at i.
func (s *scanner) close(line []byte, i int) int {
	for ; ; i++ {
		switch c := at(line, i); {
		case tokens[0][c] == comma:
			return i
		case tokens[0][c] == closing && isObject(c) == s.nest&1:
			s.end = i
			s.depth--
			s.nest >>= 1
			if s.depth == 0 {
				return skipSpace(line, i+1)
			}
			if s.depth&63 == 0 {
				s.nest = s.spill[s.depth>>6]
			}
		case tokens[0][c] != space:
			return none
		}
	}
}

// isObject returns 1 for { and }, 0 for [ and ].
func isObject(c byte) uint64 { return uint64(c >> 5 & 1) }

// onKey is called with the text of a key.
func (s *scanner) onKey(line []byte, start, end int) {
	if s.depth == 1 && s.keys.firsts[line[start]] {
		s.onTopKey(line, start, end)
	}
}

func (s *scanner) onTopKey(line []byte, start, end int) {
	found := s.keys.find(line[start:end], s.backslash >= start)
	if found&ownLevel != 0 {
		s.level = end + 1
	}
	s.object.keys |= found
}
