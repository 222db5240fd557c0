package config

import (
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
// names of its flags: together they fit a screen.
func Usage() string {
	var b strings.Builder
	var groups []string
	members := make(map[string][]string)
	for _, o := range options(new(Config)) {
		if o.group == "" {
			fmt.Fprintf(&b, "  %-27s %s\n", o.usage(), o.help)
			continue
		}
		if members[o.group] == nil {
			groups = append(groups, o.group)
		}
		members[o.group] = append(members[o.group], o.usage())
	}
	for _, group := range groups {
		b.WriteString(wrapped("  "+group+": ", members[group]))
	}
	return b.String()
}

// Names returns the names of all flags.
func Names() (names []string) {
	for _, o := range options(new(Config)) {
		names = append(names, o.flag)
	}
	return names
}

// Help returns the long text about the flag with that name or letter, or that PM2
// or the environment has a name for, "" if there is none.
func Help(name string) string {
	original := Default()
	list := options(&original)
	at := slices.IndexFunc(list, func(o option) bool {
		return name != "" && (name == o.flag || name == o.short || o.negated && name == "no-"+o.flag || name == o.env || slices.Contains(o.pm2, name))
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
func (o option) initialText() string {
	if o.initial != "" {
		return o.initial
	}
	return o.text()
}

// usage returns how o is given.
func (o option) usage() string {
	text := "--" + o.flag
	if o.short != "" {
		text = "-" + o.short + ", " + text
	}
	if o.negated {
		text += ", --no-" + o.flag
	}
	return strings.TrimRight(text+" "+o.arg, " ")
}

// wrapped joins items in lines of at most 80 columns below a heading.
func wrapped(heading string, items []string) string {
	text, column := heading, len(heading)
	for i, item := range items {
		if i < len(items)-1 {
			item += ";"
		}
		switch {
		case i == 0:
		case column+1+len(item) > 80:
			text, column = text+"\n"+strings.Repeat(" ", len(heading)), len(heading)
		default:
			item = " " + item
		}
		text, column = text+item, column+len(item)
	}
	return text + "\n"
}
