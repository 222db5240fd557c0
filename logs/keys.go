package logs

// keyBits are a set of keys.
type keyBits uint8

const (
	hasTime keyBits = 1 << iota
	hasLevel
	hasSeverity
	hasWorker
	hasPID
	hasStream
	hasVersion
	ownLevel // "level", which in some Fields is another key than that of the level
)

// A keySet finds the wanted keys of an object: a hash table without collisions.
type keySet struct {
	slots  [64]wantedKey
	factor uint
	firsts [256]bool // what a wanted key may begin with as it is written
}

type wantedKey struct {
	name string
	bits keyBits
}

// newKeySet returns the set of keys.
func newKeySet(keys map[string]keyBits) *keySet {
	for factor := uint(1); ; factor++ {
		s := &keySet{factor: factor}
		if s.firsts['\\'] = true; s.add(keys) {
			return s
		}
	}
}

// add adds keys, none of which is empty, and reports whether there was no collision.
func (s *keySet) add(keys map[string]keyBits) bool {
	for name, bits := range keys {
		slot := s.slot([]byte(name))
		if slot.name != "" {
			return false
		}
		*slot = wantedKey{name, bits}
		s.firsts[name[0]] = true
	}
	return true
}

// slot returns where key is, if it is wanted. It is not empty.
func (s *keySet) slot(key []byte) *wantedKey {
	first, last := uint(key[0]), uint(key[len(key)-1])
	return &s.slots[(first+last*s.factor+uint(len(key)))%64]
}

// find returns what key is, which is as it is written, with escapes if it is escaped.
func (s *keySet) find(key []byte, escaped bool) keyBits {
	if escaped {
		var buf [16]byte // no wanted key is longer
		key = buf[:unescape(buf[:], key)]
	}
	if len(key) > 0 {
		if slot := s.slot(key); slot.name == string(key) {
			return slot.bits
		}
	}
	return 0
}

// unescape writes the text of a valid JSON string to dst and returns its length: 0 if it
// does not fit or is not ASCII, and so no wanted key.
func unescape(dst, text []byte) (n int) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' {
			i++
			switch c = text[i]; c {
			case 'u':
				r := hex4(text, i+1)
				if r >= 0x80 {
					return 0
				}
				c = byte(r)
				i += 4
			case 'b', 'f', 'n', 'r', 't':
				return 0
			}
		}
		if n == len(dst) {
			return 0
		}
		dst[n] = c
		n++
	}
	return n
}
