package main

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v10"
	"github.com/spf13/pflag"
)

const envPrefix = "NODEINIT_"

// oneMore is what a flag that counts is set to each time it is given.
const oneMore = "+1"

// reservedEnv are names that nodeinit gives to its children, not settings: one
// nodeinit inside another finds them.
var reservedEnv = []string{envPrefix + "WORKER", envPrefix + "WORKER_COUNT", envPrefix + "CHANNEL"}

// An option is one field of config under its two names.
type option struct {
	flag, env        string
	short, arg, help string
	group, needs     string
	separator        string // in the environment; "" is a comma
	negated          bool   // --no- and its name turns it off
	value            reflect.Value
}

// options lists the fields of c in their order.
func options(c *config) []option {
	v := reflect.ValueOf(c).Elem()
	var list []option
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name := field.Tag.Get("env")
		list = append(list, option{
			flag:      strings.ToLower(strings.ReplaceAll(name, "_", "-")),
			env:       envPrefix + name,
			short:     field.Tag.Get("short"),
			arg:       field.Tag.Get("arg"),
			help:      field.Tag.Get("help"),
			group:     field.Tag.Get("group"),
			needs:     field.Tag.Get("needs"),
			separator: field.Tag.Get("envSeparator"),
			negated:   field.Tag.Get("negated") != "",
			value:     v.Field(i),
		})
	}
	return list
}

// flagSet returns the flags that set c. Parsing ends at the first word that is
// not a flag: the rest is the program's.
func flagSet(c *config) *pflag.FlagSet {
	set := pflag.NewFlagSet("nodeinit", pflag.ContinueOnError)
	set.SetInterspersed(false)
	set.Usage = func() {} // errors and --help are told by run
	for _, o := range options(c) {
		flag := set.VarPF(&flagValue{field: o.value}, o.flag, o.short, o.help)
		switch o.value.Interface().(type) {
		case toggle:
			flag.NoOptDefVal = "true"
		case count:
			flag.NoOptDefVal = oneMore
		}
		if o.negated {
			set.VarPF(negation{&flagValue{field: o.value}}, "no-"+o.flag, "", "").NoOptDefVal = "true"
		}
	}
	return set
}

// A flagValue sets a field of config from a flag. The first use of a flag that
// takes several replaces what the environment gave.
type flagValue struct {
	field reflect.Value
	used  bool
}

func (f *flagValue) Set(s string) error {
	first := !f.used
	f.used = true
	if f.field.Kind() != reflect.Slice {
		if first && s == oneMore {
			f.field.SetZero()
		}
		return unmarshal(f.field, s)
	}
	if first {
		f.field.SetZero()
	}
	element := reflect.New(f.field.Type().Elem()).Elem()
	if err := unmarshal(element, s); err != nil {
		return err
	}
	f.field.Set(reflect.Append(f.field, element))
	return nil
}

// A negation sets a toggle of config to the opposite.
type negation struct{ *flagValue }

func (n negation) Set(s string) error {
	if err := unmarshal(n.field, s); err != nil {
		return err
	}
	n.field.SetBool(!n.field.Bool())
	return nil
}

func unmarshal(v reflect.Value, s string) error {
	return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
}

func (f *flagValue) String() string { return "" } // --help is written by hand
func (f *flagValue) Type() string   { return f.field.Type().String() }

// lineSeparator stands for the end of a line between the values of a variable:
// a byte that none can have in it.
const lineSeparator = "\x00"

// splitLines puts lineSeparator between the lines of text that are not empty. The
// end of a line in quotes, or after a backslash, belongs to the value.
func splitLines(text string) string {
	var lines []string
	begin, quote := 0, byte(0)
	add := func(end int) {
		if line := strings.TrimSpace(text[begin:end]); line != "" {
			lines = append(lines, line)
		}
		begin = end + 1
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quote != '\'':
			i++
		case c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && c == '\n':
			add(i)
		}
	}
	add(len(text))
	return strings.Join(lines, lineSeparator)
}

// readEnv sets c from the NODEINIT_ variables of environ. It reports every bad
// value in one error, one line each.
func readEnv(c *config, environ []string) error {
	ours := make(map[string]string)
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok && strings.HasPrefix(name, envPrefix) {
			ours[name] = value
		}
	}
	for _, o := range options(c) {
		if text, set := ours[o.env]; set && o.separator == lineSeparator {
			ours[o.env] = splitLines(text)
		}
	}
	err := env.ParseWithOptions(c, env.Options{Prefix: envPrefix, Environment: ours})
	var all env.AggregateError
	if !errors.As(err, &all) {
		return err
	}
	var lines []error
	for _, err := range all.Errors {
		if bad := (env.ParseError{}); errors.As(err, &bad) {
			field, _ := reflect.TypeFor[config]().FieldByName(bad.Name)
			err = fmt.Errorf("%s%s: %w", envPrefix, field.Tag.Get("env"), bad.Err)
		}
		lines = append(lines, err)
	}
	return errors.Join(lines...)
}

// unknownEnv returns the NODEINIT_ names in environ that mean nothing, each
// with the nearest name that does.
func unknownEnv(environ []string) map[string]string {
	var names []string
	for _, o := range options(new(config)) {
		names = append(names, o.env)
	}
	unknown := make(map[string]string)
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, envPrefix) && !slices.Contains(names, name) && !slices.Contains(reservedEnv, name) {
			unknown[name] = nearest(strings.ToUpper(name), names)
		}
	}
	return unknown
}

// flagError turns an error of pflag into one line with the flag, the value and
// what to do.
func flagError(err error, set *pflag.FlagSet) error {
	var invalid *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &invalid):
		return fmt.Errorf("--%s: %w", invalid.GetFlag().Name, invalid.Unwrap())
	case errors.As(err, &missing):
		name := missing.GetFlag().Name
		return fmt.Errorf("--%s: a value is missing (see nodeinit help %s)", name, name)
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return fmt.Errorf("-%s: no such flag (see nodeinit --help)", unknown.GetSpecifiedName())
	case errors.As(err, &unknown):
		var names []string
		set.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		name := unknown.GetSpecifiedName()
		return fmt.Errorf("--%s: no such flag (did you mean --%s?)", name, nearest(name, names))
	default:
		return err
	}
}

// nearest returns the name that takes the fewest edits to make from s.
func nearest(s string, names []string) string {
	return slices.MinFunc(names, func(a, b string) int { return distance(s, a) - distance(s, b) })
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
