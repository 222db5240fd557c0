package config

import (
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
)

const envPrefix = "NODEINIT_"

// A setting is what a field of Config declares: it has two names, and no value.
type setting struct {
	flag, env, group string
	short, arg, help string
	field            string // its name in Config
	index            []int
	tag              reflect.StructTag
}

// An option is a setting with its value in one Config.
type option struct {
	*setting
	value reflect.Value
}

// A source is how a setting was given.
type source struct{ name, text string }

// settings lists all settings in their order. It is made once, and only for a run that
// sets something: reflection costs time, and its garbage would stay in the memory of
// PID 1.
var settings = sync.OnceValue(func() []setting {
	return appendSettings(make([]setting, 0, 48), reflect.TypeFor[Config](), nil, "")
})

// appendSettings appends the settings that are fields of t, at index in Config. (The
// list of reflect.VisibleFields would be several times as large.)
func appendSettings(list []setting, t reflect.Type, index []int, group string) []setting {
	for i := range t.NumField() {
		field := t.Field(i)
		at := append(slices.Clip(index), i)
		name, named := field.Tag.Lookup("env")
		switch {
		case field.Anonymous:
			list = appendSettings(list, field.Type, at, field.Tag.Get("group"))
		case named:
			list = append(list, setting{
				flag: strings.ToLower(strings.ReplaceAll(name, "_", "-")), env: envPrefix + name, group: group,
				short: field.Tag.Get("short"), arg: field.Tag.Get("arg"), help: field.Tag.Get("help"),
				field: field.Name, index: at, tag: field.Tag,
			})
		}
	}
	return list
}

// in returns s with its value in c.
func (s *setting) in(c *Config) option {
	return option{s, reflect.ValueOf(c).Elem().FieldByIndex(s.index)}
}

// options lists the settings of c in their order.
func options(c *Config) []option {
	list := settings()
	with := make([]option, len(list))
	for i := range list {
		with[i] = list[i].in(c)
	}
	return with
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
	must := o.tag.Get("must")
	switch v := o.value.Interface().(type) {
	case Choice:
		choices := strings.Split(cmp.Or(o.tag.Get("choices"), o.arg), "|")
		if !slices.Contains(choices, string(v)) {
			meant, ok := strings.CutPrefix(o.tag.Get("pm2"), text+"=")
			if !ok {
				meant = cmp.Or(Nearest(strings.ToLower(text), choices), choices[0])
			}
			return fmt.Errorf("%q is not one of %s (try %s)", text, strings.Join(choices, ", "), meant)
		}
	case Signal:
		_, stops := signals.Rules{}.Apply(v.Sig())
		switch catchable := signals.Catchable(v.Sig()); {
		case must == "stop" && !catchable && v.Sig() != unix.SIGKILL:
			return fmt.Errorf("%q cannot stop a program (try TERM)", text)
		case must == "reload" && stops:
			return fmt.Errorf("%q is a request to stop (try HUP)", text)
		case must == "reload" && (!catchable || slices.Contains(faults, v.Sig())):
			return fmt.Errorf("%q cannot mean a reload (try HUP)", text)
		}
	case Size:
		if v < 4<<20 {
			return fmt.Errorf("%q is less than 4M (try 512M)", text)
		}
	case Duration:
		switch {
		case must == "hang" && v != 0 && v < minHang:
			return fmt.Errorf("%q is less than 3s, and workers report once a second (try 10s, or 0 for off)", text)
		case must == "positive" && v < minInterval:
			return fmt.Errorf("%q is less than 100ms (try 5s)", text)
		}
	case Number:
		if must == "positive" && v == 0 {
			return fmt.Errorf("%q is less than 1 (try 3)", text)
		}
	}
	return nil
}

// of returns the setting that field, a pointer to a field of c, is.
func (c *Config) of(field any) *setting {
	list, all := settings(), reflect.ValueOf(c).Elem()
	return &list[slices.IndexFunc(list, func(s setting) bool { return all.FieldByIndex(s.index).Addr().Interface() == field })]
}

// Flag returns the name of the flag that sets field, a pointer to a field of c.
func (c *Config) Flag(field any) string { return "--" + c.of(field).flag }

// Source returns the name of what has set field, a pointer to a field of c: its
// flag or its variable.
func (c *Config) Source(field any) string {
	flag := c.of(field).flag
	return cmp.Or(c.given[flag].name, "--"+flag)
}

// names returns both names of field.
func (c *Config) names(field any) string {
	o := c.of(field)
	return "--" + o.flag + " or " + o.env
}

// Given returns the settings that need something, "workers" for example, and are
// not as by default, nor as if it were not there. Each is as the user wrote it.
func (c *Config) Given(needs string) (list []string) {
	if len(c.given) == 0 {
		return nil
	}
	original, all := Default(), settings()
	for i := range all {
		s := &all[i]
		given, ok := c.given[s.flag]
		if !ok || s.tag.Get("needs") != needs {
			continue
		}
		if value := s.in(c).text(); value != s.in(&original).text() && value != s.tag.Get("without") {
			text := "--" + s.flag
			if _, toggle := s.in(c).value.Interface().(Toggle); !toggle {
				text += " " + cmp.Or(given.text, value)
			}
			list = append(list, text)
		}
	}
	return list
}

// Variables returns flags and their values in args, as far as that is what they are,
// as variables: NODEINIT_WORKERS=4.
func Variables(args []string) (list []string) {
	c := Default()
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
