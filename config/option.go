package config

import (
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
)

const envPrefix = "NODEINIT_"

// An option is one setting under its two names.
type option struct {
	flag, env   string
	field       string // its name in Config
	short, arg  string
	help, group string
	initial     string // what the default means, where its value does not say it
	needs       string
	without     string // the value that is the same as to lack what it needs
	choices     []string
	pm2         []string // PM2's flags for it; where a value has another name: PM2's=ours
	min, must   string
	separator   string // in the environment; "" is a comma
	negated     bool   // --no- and its name turns it off
	value       reflect.Value
}

// A source is how a setting was given.
type source struct{ name, text string }

// options lists the settings of c in their order.
func options(c *Config) []option { return optionsOf(reflect.ValueOf(c).Elem(), "") }

func optionsOf(v reflect.Value, group string) (list []option) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, named := field.Tag.Lookup("env")
		switch {
		case field.Anonymous:
			list = append(list, optionsOf(v.Field(i), field.Tag.Get("group"))...)
		case named:
			choices := field.Tag.Get("choices")
			if choices == "" {
				choices = field.Tag.Get("arg")
			}
			list = append(list, option{
				flag:      strings.ToLower(strings.ReplaceAll(name, "_", "-")),
				env:       envPrefix + name,
				field:     field.Name,
				short:     field.Tag.Get("short"),
				arg:       field.Tag.Get("arg"),
				help:      field.Tag.Get("help"),
				group:     group,
				initial:   field.Tag.Get("default"),
				needs:     field.Tag.Get("needs"),
				without:   field.Tag.Get("without"),
				choices:   strings.Split(choices, "|"),
				pm2:       strings.Split(field.Tag.Get("pm2"), "|"),
				min:       field.Tag.Get("min"),
				must:      field.Tag.Get("must"),
				separator: field.Tag.Get("envSeparator"),
				negated:   field.Tag.Get("negated") != "",
				value:     v.Field(i),
			})
		}
	}
	return list
}

// text returns the value of o as it would be given, "" for one that is not set.
func (o option) text() string {
	if o.value.Kind() == reflect.Slice && o.value.Len() == 0 {
		return ""
	}
	return fmt.Sprint(o.value.Interface())
}

func unmarshal(v reflect.Value, s string) error {
	return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
}

// faults are the signals that a process gets for a fault of its own: nodeinit
// may get one too, and then it is no request.
var faults = []unix.Signal{
	unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV, unix.SIGSTKFLT, unix.SIGSYS,
}

// verify checks the value of o, which was given as text, against its tags: all that
// the type of the value does not know.
func (o option) verify(text string) error {
	switch v := o.value.Interface().(type) {
	case Choice:
		if !slices.Contains(o.choices, string(v)) {
			return fmt.Errorf("%q is not one of %s (try %s)", text, strings.Join(o.choices, ", "), o.meant(text))
		}
	case Signal:
		return o.verifySignal(v.Sig(), text)
	case Size:
		var least Size
		if o.min != "" && least.UnmarshalText([]byte(o.min)) == nil && v < least {
			return fmt.Errorf("%q is less than %s (try 512M)", text, o.min)
		}
	}
	return nil
}

// meant returns the choice that is likely meant by text.
func (o option) meant(text string) string {
	for _, name := range o.pm2 {
		if ours, ok := strings.CutPrefix(name, text+"="); ok {
			return ours
		}
	}
	return cmp.Or(Nearest(strings.ToLower(text), o.choices), o.choices[0])
}

func (o option) verifySignal(sig unix.Signal, text string) error {
	_, stops := signals.Rules{}.Apply(sig)
	switch {
	case o.must == "stop" && !signals.Catchable(sig) && sig != unix.SIGKILL:
		return fmt.Errorf("%q cannot stop a program (try TERM)", text)
	case o.must == "reload" && stops:
		return fmt.Errorf("%q is a request to stop (try HUP)", text)
	case o.must == "reload" && (!signals.Catchable(sig) || slices.Contains(faults, sig)):
		return fmt.Errorf("%q cannot mean a reload (try HUP)", text)
	}
	return nil
}

// of returns the option that field, a pointer to a field of c, is.
func (c *Config) of(field any) option {
	list := options(c)
	return list[slices.IndexFunc(list, func(o option) bool { return o.value.Addr().Interface() == field })]
}

// Flag returns the name of the flag that sets field, a pointer to a field of c.
func (c *Config) Flag(field any) string { return "--" + c.of(field).flag }

// Source returns the name of what has set field, a pointer to a field of c: its
// flag or its variable.
func (c *Config) Source(field any) string {
	if s, ok := c.given[c.of(field).flag]; ok {
		return s.name
	}
	return c.Flag(field)
}

// Text returns what field, a pointer to a field of c, was set to, as it was given.
func (c *Config) Text(field any) string {
	o := c.of(field)
	if s, ok := c.given[o.flag]; ok {
		return s.text
	}
	return o.text()
}

// names returns both names of field.
func (c *Config) names(field any) string {
	o := c.of(field)
	return "--" + o.flag + " or " + o.env
}

// Given returns the settings that need something, "workers" for example, and are
// not as by default, nor as if it were not there. Each is as the user wrote it.
func (c *Config) Given(needs string) (list []string) {
	original := Default()
	before := options(&original)
	for i, o := range options(c) {
		value := o.text()
		if o.needs == needs && value != before[i].text() && value != o.without {
			list = append(list, "--"+o.flag+" "+c.Text(o.value.Addr().Interface()))
		}
	}
	return list
}

// Variables returns flags and their values in args, as far as that is what they are,
// as variables: NODEINIT_WORKERS=4.
func Variables(args []string) (list []string) {
	var c Config
	if _, _, err := c.Parse(args, nil); err != nil {
		return nil
	}
	for _, o := range options(&c) {
		if given, ok := c.given[o.flag]; ok {
			list = append(list, o.env+"="+given.text)
		}
	}
	return list
}
