package logs

import (
	"maps"
	"slices"
	"strings"
)

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

// A keySet finds out which keys of an object are wanted.
type keySet struct {
	keys []wantedKey // by length
	from [maxKey + 2]uint8
}

// maxKey is the length of the longest wanted key, ecs.version.
const maxKey = 11

type wantedKey struct {
	name string
	bits keyBits
}

func newKeySet(keys map[string]keyBits) keySet {
	var s keySet
	names := slices.SortedFunc(maps.Keys(keys), func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		s.keys = append(s.keys, wantedKey{name, keys[name]})
		for n := len(name) + 1; n < len(s.from); n++ {
			s.from[n]++
		}
	}
	return s
}

// find returns what the key in line[start:end] is.
func (s *keySet) find(line []byte, start, end int, escaped bool) keyBits {
	key := line[start:end]
	if escaped {
		var buf [maxKey]byte
		n := unescape(buf[:], key)
		key = buf[:n]
	}
	if len(key) > maxKey {
		return 0
	}
	for _, k := range s.keys[s.from[len(key)]:s.from[len(key)+1]] {
		if k.name == string(key) {
			return k.bits
		}
	}
	return 0
}

// unescape writes the text of a valid JSON string to dst and returns its length. Where
// it is no ASCII or does not fit, it is no wanted key, and the length is 0.
func unescape(dst, text []byte) int {
	n := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' {
			i++
			switch c = text[i]; c {
			case 'u':
				r, _ := hex4(text, i+1)
				i += 4
				if r > 0x7f {
					return 0
				}
				c = byte(r)
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
