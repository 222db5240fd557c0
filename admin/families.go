package admin

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxGroups is how many groups a worker's metrics may have, which bounds the memory for
// them beside the text. Few applications have a thousand families.
const maxGroups = 16 << 10

// A group is the lines of a family that stand one after the other in an exposition. Most
// families have one.
type group struct {
	name       []byte
	kind       string // TYPE; "": not given
	help, unit []byte
	start, end int // of the lines of samples; the same: there are none
}

// An exposed is what a worker has answered, parsed.
type exposed struct {
	text   []byte
	open   bool // OpenMetrics
	groups []group
	last   map[string]int // the last group of a family
	ended  bool           // by # EOF
}

// textKind returns the type of a family in the text format; "": there is no such type.
func textKind(kind string) string {
	switch kind {
	case "counter", "gauge", "histogram", "summary", "untyped":
		return kind
	case "unknown":
		return "untyped"
	case "info", "stateset":
		return "gauge"
	case gaugeHistogram:
		return "histogram"
	}
	return ""
}

// gaugeHistogram is a type of OpenMetrics that the text format has nothing like.
const gaugeHistogram = "gaugehistogram"

// parseExposition parses metrics in the text format of Prometheus, or with open in
// OpenMetrics. What is not complete, and what another reader might refuse, is an error.
func parseExposition(text []byte, open bool) (*exposed, error) {
	x := &exposed{text: text, open: open, last: make(map[string]int)}
	if !utf8.Valid(text) {
		return nil, errors.New("it is not UTF-8")
	}
	number := 0
	for start := 0; start < len(text); {
		end := len(text)
		if n := bytes.IndexByte(text[start:], '\n'); n >= 0 {
			end = start + n + 1
		}
		number++
		line := trimSpaces(text[start:end])
		if !x.add(line, start, end) {
			return nil, fmt.Errorf("line %d is no metric: %.60q", number, line)
		}
		if len(x.groups) > maxGroups {
			return nil, fmt.Errorf("it has more than %d families", maxGroups)
		}
		start = end
	}
	if open && !x.ended {
		return nil, errors.New("it has no # EOF at its end")
	}
	return x, nil
}

// add adds a line, and reports whether it is one.
func (x *exposed) add(line []byte, start, end int) bool {
	switch {
	case len(line) == 0:
		return true
	case x.ended:
		return false
	case line[0] == '#':
		return x.addComment(line)
	}
	s, ok := parseSample(line, x.open)
	if !ok {
		return false
	}
	g := x.ownerOf(s.name)
	if !g.owns(s.name, x.open) {
		return false // a counter of OpenMetrics without _total
	}
	if g.start == g.end {
		g.start = start
	}
	g.end = end
	return true
}

// addComment adds what it says of a family. Other comments are left out.
func (x *exposed) addComment(line []byte) bool {
	keyword, rest := cutField(line[1:])
	if x.open && string(keyword) == "EOF" {
		x.ended = true
		return len(rest) == 0
	}
	name, text := cutField(rest)
	is := string(keyword)
	if is != "HELP" && is != "TYPE" && is != "UNIT" {
		return true
	}
	if valid, more := cutName(name, true); len(valid) == 0 || len(more) > 0 {
		return false
	}
	g := x.family(name)
	switch is {
	case "HELP":
		g.help = text
	case "UNIT":
		g.unit = text
	default:
		// One that the format has not is none: Prometheus refuses all that comes with it.
		if kind := string(text); textKind(kind) != "" && (kind != "untyped" || !x.open) && (textKind(kind) == kind || x.open) {
			g.kind = kind
		}
	}
	return true
}

// family returns the group for lines of a family that come now.
func (x *exposed) family(name []byte) *group {
	i, known := x.last[string(name)]
	if known && i == len(x.groups)-1 {
		return &x.groups[i]
	}
	next := group{name: name}
	if known {
		before := &x.groups[i]
		next.kind, next.help, next.unit = before.kind, before.help, before.unit
	}
	x.last[string(name)] = len(x.groups)
	x.groups = append(x.groups, next)
	return &x.groups[len(x.groups)-1]
}

// ownerOf returns the group for a sample that comes now.
func (x *exposed) ownerOf(name []byte) *group {
	if n := len(x.groups); n > 0 && x.groups[n-1].owns(name, x.open) {
		return &x.groups[n-1]
	}
	if base := bytes.LastIndexByte(name, '_'); base > 0 {
		if i, known := x.last[string(name[:base])]; known && x.groups[i].owns(name, x.open) {
			return x.family(name[:base])
		}
	}
	return x.family(name)
}

// owns reports whether a sample with that name is of the family.
func (g *group) owns(name []byte, open bool) bool {
	suffix, ok := strings.CutPrefix(string(name), string(g.name))
	if !ok {
		return false
	}
	of := ""
	switch suffix {
	case "":
		return !open || g.kind != "counter" && g.kind != "info"
	case "_bucket":
		of = "histogram gaugehistogram"
	case "_sum", "_count":
		of = "histogram summary"
	case "_gsum", "_gcount":
		of = "gaugehistogram"
	case "_total":
		of = "counter"
	case "_created":
		of = "counter histogram summary"
	case "_info":
		of = "info"
	}
	isOpen := open || suffix == "_bucket" || of == "histogram summary"
	return isOpen && g.kind != "" && strings.Contains(" "+of+" ", " "+g.kind+" ")
}

// textName returns the name of the family in the text format: there a counter's is that of
// its samples.
func (g *group) textName(open bool) string {
	switch {
	case open && g.kind == "counter":
		return string(g.name) + "_total"
	case open && g.kind == "info":
		return string(g.name) + "_info"
	default:
		return string(g.name)
	}
}
