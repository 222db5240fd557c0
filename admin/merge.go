package admin

import (
	"bytes"
	"strings"
)

// A part is the metrics of one worker.
type part struct {
	worker string // the value of the label
	*exposed
}

// A merged family has what all parts have of it.
type merged struct {
	first   *group
	open    bool // the first part is OpenMetrics
	members []member
}

type member struct {
	part  *part
	group *group
}

// appendMerged appends the families of all parts, each with the samples of all of them, in
// the order in which they come first: in OpenMetrics, without # EOF, if all parts are that
// and it is wanted, else in the text format. What is named like nodeinit's own is left out.
func appendMerged(dst []byte, parts []part, openMetrics bool) []byte {
	byName := make(map[string]*merged)
	var order []*merged
	for i := range parts {
		p := &parts[i]
		for j := range p.groups {
			g := &p.groups[j]
			name := g.textName(p.open && !openMetrics)
			unknown := p.open && !openMetrics && g.kind == gaugeHistogram
			if g.start == g.end || unknown || strings.HasPrefix(name, namePrefix) {
				continue
			}
			m := byName[name]
			if m == nil {
				m = &merged{first: g, open: p.open}
				byName[name] = m
				order = append(order, m)
			}
			m.members = append(m.members, member{p, g})
		}
	}
	for _, m := range order {
		dst = m.appendTo(dst, openMetrics)
	}
	return dst
}

func (m *merged) appendTo(dst []byte, openMetrics bool) []byte {
	g := m.first
	converted := m.open && !openMetrics
	name, kind, help := g.textName(converted), g.kind, g.help
	if converted {
		kind = textKind(kind)
	}
	line := func(keyword, text string) {
		if text != "" {
			dst = append(dst, "# "+keyword+" "+name+" "+text+"\n"...)
		}
	}
	line("HELP", string(appendEscaped(nil, help, openMetrics)))
	line("TYPE", kind)
	if unit := string(g.unit); openMetrics && strings.HasSuffix(name, "_"+unit) { // Prometheus refuses all that comes with another
		line("UNIT", unit)
	}
	for _, one := range m.members {
		dst = one.appendTo(dst, openMetrics)
	}
	return dst
}

// appendTo appends the samples of a member.
func (m member) appendTo(dst []byte, openMetrics bool) []byte {
	converted := m.part.open && !openMetrics
	for text := m.part.text[m.group.start:m.group.end]; len(text) > 0; {
		line := text
		if end := bytes.IndexByte(text, '\n'); end >= 0 {
			line = text[:end]
		}
		text = text[min(len(line)+1, len(text)):]
		line = trimSpaces(line)
		s, ok := parseSample(line, m.part.open)
		if !ok || converted && isCreated(s.name, m.group) {
			continue // a comment, or what the text format has not
		}
		dst = s.appendTo(dst, m.part.worker, converted, openMetrics)
	}
	return dst
}

// isCreated reports whether a sample is the time when a counter, or what counts, began.
func isCreated(name []byte, g *group) bool {
	return len(name) > len(g.name) && strings.HasSuffix(string(name), "_created")
}
