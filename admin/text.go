package admin

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// labelWidth is how many columns the labels of the header have.
const labelWidth = 10

// maxProgramLines is how many lines the command line of the program has at most.
const maxProgramLines = 4

// Text returns d for people: a header, and a table of the workers. No line has more
// than width columns, if that is at least 20. Control characters, and what else a
// terminal would not print, are escaped.
func (d *Document) Text(width int) []string {
	title, rows, notes := d.Table(width)
	lines := append(d.Header(width), "", title)
	return append(append(lines, rows...), notes...)
}

// Header returns the part of Text above the table, without the empty line.
func (d *Document) Header(width int) (lines []string) {
	add := func(label, text string) { lines = appendWrapped(lines, label, text, width) }
	add("nodeinit", d.Nodeinit.text())
	add("program", commandLine(d.Argv, maxProgramLines*(width-labelWidth)))
	add("mode", d.modeText())
	add("cpus", d.cpusText())
	add("memory", d.memoryText())
	add("listen", d.listenText())
	return lines
}

func (p *Process) text() string {
	text := printable(p.Version) + ", pid " + strconv.Itoa(p.PID) + ", up " + humanTime(p.Uptime)
	if p.Resident != nil {
		text += ", " + humanSize(*p.Resident) + " resident"
	}
	return text
}

// modeText is the state of the container: what runs, and what has been.
func (d *Document) modeText() string {
	text := printable(d.Mode) + ", " + printable(d.State)
	if d.Change != "" {
		text += " (" + printable(d.Change) + ")"
	}
	text += ", " + strconv.Itoa(d.Ready) + " of " + strconv.Itoa(d.Want) + " ready"
	if d.Scaled {
		text += " (by scale)"
	}
	return text + "; " +
		counted(int64(d.Starts), "start") + ", " + counted(int64(d.Crashes), "crash") + ", " +
		counted(int64(d.Reloads), "reload")
}

func (d *Document) cpusText() string {
	text := "no limit"
	if d.Limits.CPUs > 0 {
		text = strconv.FormatFloat(d.Limits.CPUs, 'f', -1, 64) + from(d.Limits.CPUsFrom)
	}
	if d.Throttled != nil {
		text += ", throttled in " + humanShare(*d.Throttled) + " of periods"
	}
	return text
}

func (d *Document) memoryText() string {
	limit := "no limit"
	if d.Limits.Memory > 0 {
		limit = humanSize(d.Limits.Memory) + from(d.Limits.MemoryFrom)
	}
	text := limit
	switch {
	case d.Memory != nil && d.Limits.Memory > 0:
		text = humanSize(*d.Memory) + " of " + limit
	case d.Memory != nil:
		text = humanSize(*d.Memory) + ", " + limit
	}
	if d.OOMKills != nil {
		text += ", " + counted(*d.OOMKills, "OOM kill")
	}
	return text
}

// from says where a limit was read.
func from(where string) string {
	if where == "" {
		return ""
	}
	return " (" + printable(where) + ")"
}

// listenText has the accept queue of each address. Several sockets of one address, each
// with a queue of its own, are added up.
func (d *Document) listenText() string {
	text := ""
	for i := 0; i < len(d.Listen); {
		address, first := d.Listen[i].Address, i
		queue, backlog, known := 0, 0, false
		for ; i < len(d.Listen) && d.Listen[i].Address == address; i++ {
			if l := &d.Listen[i]; l.Queue != nil && l.Backlog != nil {
				queue, backlog, known = queue+*l.Queue, backlog+*l.Backlog, true
			}
		}
		if first > 0 {
			text += ", "
		}
		text += printable(address)
		if known {
			text += " (queue " + strconv.Itoa(queue) + " of " + strconv.Itoa(backlog)
			if sockets := i - first; sockets > 1 {
				text += " in " + strconv.Itoa(sockets) + " sockets"
			}
			text += ")"
		}
	}
	if text == "" {
		return none
	}
	return text
}

// counted returns a number of things.
func counted(n int64, thing string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(thing, "h"):
		thing += "es"
	default:
		thing += "s"
	}
	return strconv.FormatInt(n, 10) + " " + thing
}

// commandLine returns argv with its words apart: a word that has a space, or that a
// terminal would not print, is quoted as in Go. It has at most limit columns.
func commandLine(argv []string, limit int) string {
	const ellipsis = "..."
	var line []byte
	for i, word := range argv {
		if i > 0 {
			line = append(line, ' ')
		}
		if word == "" || strings.ContainsAny(word, ` "'\`) || !isPrintable(word) {
			line = strconv.AppendQuote(line, word)
		} else {
			line = append(line, word...)
		}
	}
	text := string(line)
	if n := prefix(text, limit); n < len(text) {
		return text[:prefix(text, limit-len(ellipsis))] + ellipsis
	}
	return text
}

// printable returns text with escapes for all that a terminal would not print.
func printable(text string) string {
	if isPrintable(text) {
		return text
	}
	quoted := strconv.Quote(text)
	return quoted[1 : len(quoted)-1]
}

func isPrintable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) })
}

// appendWrapped adds text with a label before its first line. It is wrapped at spaces,
// and in a word only where that has no room in a line.
func appendWrapped(lines []string, label, text string, width int) []string {
	room := max(width-labelWidth, 1)
	for first := true; first || text != ""; first = false {
		n := prefix(text, room)
		rest := text[n:]
		if space := strings.LastIndexByte(text[:n], ' '); rest != "" && rest[0] != ' ' && space > 0 {
			n, rest = space, text[space:]
		}
		line := label + strings.Repeat(" ", max(labelWidth-len(label), 1)) + text[:n]
		lines = append(lines, strings.TrimRight(line, " "))
		label, text = "", strings.TrimLeft(rest, " ")
	}
	return lines
}

// prefix returns how many bytes of text, a character at least, have room in so many
// columns.
func prefix(text string, columns int) int {
	for i, r := range text {
		columns -= runeWidth(r)
		if columns < 0 && i > 0 {
			return i
		}
	}
	return len(text)
}

// runeWidth returns how many columns of a terminal a character takes at most: 2 if it
// is wide in East Asia or may be an emoji. Combining characters count as 1: that only
// leaves some room unused.
func runeWidth(r rune) int {
	switch {
	case r < 0x1100, r > 0x115f && r < 0x2300, r > 0x303e && r < 0x3041, r > 0xd7a3 && r < 0xf900, r > 0xffe6 && r < 0x16fe0:
		return 1
	default:
		return 2
	}
}

func displayWidth(text string) (columns int) {
	for _, r := range text {
		columns += runeWidth(r)
	}
	return columns
}
