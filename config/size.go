package config

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Size is a number of bytes; 0 is not set. K, M, G and T are powers of 1024,
// as docker run -m takes them, with or without i or B.
type Size int64

// UnmarshalText reads 512M, 1.5Gi or plain bytes.
func (s *Size) UnmarshalText(b []byte) error {
	text := strings.TrimSuffix(strings.ToUpper(string(b)), "B")
	unit := 1.0
	for i, prefix := range []string{"K", "M", "G", "T"} {
		number, found := strings.CutSuffix(strings.TrimSuffix(text, "I"), prefix)
		if found {
			unit, text = float64(int64(1)<<(10*(i+1))), number
			break
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n*unit >= 1 && n*unit < math.MaxInt64) {
		return fmt.Errorf("%q is not a size (try 512M)", b)
	}
	*s = Size(n * unit)
	return nil
}

func (s Size) String() string {
	if s == 0 {
		return ""
	}
	return strconv.FormatInt(int64(s), 10)
}

// CPUs is a number of CPUs, not always whole; 0 is not set.
type CPUs float64

// UnmarshalText reads a number of CPUs.
func (c *CPUs) UnmarshalText(b []byte) error {
	n, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(n > 0 && n <= 1<<20) {
		return fmt.Errorf("%q is not a number of CPUs (try 1.5)", b)
	}
	*c = CPUs(n)
	return nil
}

func (c CPUs) String() string {
	if c == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(c), 'g', -1, 64)
}

// Heap is how Node's old space is chosen: by nodeinit, by Node, or a size.
type Heap struct {
	Auto  bool
	Fixed Size
}

// UnmarshalText reads auto, off or a size.
func (h *Heap) UnmarshalText(b []byte) error {
	switch string(b) {
	case "auto":
		*h = Heap{Auto: true}
	case "off":
		*h = Heap{}
	default:
		var fixed Size
		if fixed.UnmarshalText(b) != nil || fixed < 1<<20 {
			return fmt.Errorf("%q is neither auto nor off nor a size of at least 1M (try 512M)", b)
		}
		*h = Heap{Fixed: fixed}
	}
	return nil
}

func (h Heap) String() string {
	if h.Auto {
		return "auto"
	}
	return cmp.Or(h.Fixed.String(), "off")
}

// A MaxMemory is how much memory a worker may have: so many bytes, or so much of
// its share of the limit. The zero value is as much as it wants.
type MaxMemory struct {
	Fixed   Size
	Percent float64
}

// UnmarshalText reads off, a size or P%.
func (m *MaxMemory) UnmarshalText(b []byte) error {
	var v MaxMemory
	number, percent := strings.CutSuffix(string(b), "%")
	err := error(nil)
	switch {
	case string(b) == "off":
	case percent:
		v.Percent, err = strconv.ParseFloat(number, 64)
	default:
		err = v.Fixed.UnmarshalText(b)
	}
	if err != nil || percent && !(v.Percent > 0 && v.Percent <= 100) || v.Fixed > 0 && v.Fixed < 1<<20 {
		return fmt.Errorf("%q is neither off nor a size of at least 1M nor a percentage up to 100%% (try 80%%)", b)
	}
	*m = v
	return nil
}

func (m MaxMemory) String() string {
	if m.Percent > 0 {
		return fmt.Sprintf("%v%%", m.Percent)
	}
	return cmp.Or(m.Fixed.String(), "off")
}
