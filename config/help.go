package config

import (
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

// topics is a long text about each flag, below a line with ## and its name.
//
//go:embed help.txt
var topics string

// topic returns the text in help.txt about a flag, "" if there is none.
func topic(flag string) string {
	_, text, _ := strings.Cut("\n"+topics, "\n## "+flag+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	return strings.TrimSpace(text)
}

// Usage returns a line for each flag that is in no group, and for each group the
// names of its flags, or the letters of those that have one: together they fit a screen.
func Usage() string {
	var b strings.Builder
	var members []string
	list := settings()
	for i, o := range list {
		if o.group == "" {
			fmt.Fprintf(&b, "  %-27s %s\n", o.usage(), o.help)
			continue
		}
		name := o.usage()
		if o.short != "" {
			name = strings.TrimRight("-"+o.short+" "+o.arg, " ")
		}
		members = append(members, name)
		if i+1 == len(list) || list[i+1].group != o.group {
			b.WriteString(wrapped("  "+o.group+": ", members))
			members = nil
		}
	}
	return b.String()
}

// Names returns the names of all flags.
func Names() (names []string) {
	for _, s := range settings() {
		names = append(names, s.flag)
	}
	return names
}

// Help returns the long text about the flag with that name or letter, or that PM2
// or the environment has a name for, "" if there is none.
func Help(name string) string {
	original := Default()
	list := options(&original)
	at := slices.IndexFunc(list, func(o option) bool {
		return name != "" && (name == o.flag || name == o.short || o.tag.Get("negated") != "" && name == "no-"+o.flag || name == o.env || slices.Contains(strings.Split(o.tag.Get("pm2"), "|"), name))
	})
	if at < 0 {
		return ""
	}
	o := list[at]
	text := fmt.Sprintf("%s\n  %s\n  environment: %s", strings.TrimSpace("--"+o.flag+" "+o.arg), o.help, o.env)
	if initial := o.initialText(); initial != "" {
		text += "   default: " + initial
	}
	return text + "\n\n" + topic(o.flag) + "\n"
}

// initialText returns what the default of o is, for people; "" for none. o is of
// [Default].
func (o option) initialText() string { return cmp.Or(o.tag.Get("default"), o.text()) }

// usage returns how s is given.
func (s *setting) usage() string {
	text := "--" + s.flag
	if s.short != "" {
		text = "-" + s.short + ", " + text
	}
	if s.tag.Get("negated") != "" {
		text += ", --no-" + s.flag
	}
	return strings.TrimRight(text+" "+s.arg, " ")
}

// wrapped joins items in lines of at most 80 columns below a heading.
func wrapped(heading string, items []string) string {
	lines := []string{heading + items[0]}
	for _, item := range items[1:] {
		last := &lines[len(lines)-1]
		*last += "; " + item
		if len(*last+";") > 80 {
			*last = strings.TrimSuffix(*last, " "+item)
			lines = append(lines, strings.Repeat(" ", len(heading))+item)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}
