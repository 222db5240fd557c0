package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// oneMore is what a flag that counts is set to each time it is given.
const oneMore = "+1"

// Parse sets c from the flags in args. It ends at the first word that is no flag:
// rest is the command. dash tells that -- stands before it. own, if not nil, adds
// flags that are no settings. An error is one line with the flag, the value and
// what to do, or [pflag.ErrHelp].
func (c *Config) Parse(args []string, own func(*pflag.FlagSet)) (rest []string, dash bool, err error) {
	set := pflag.NewFlagSet("nodeinit", pflag.ContinueOnError)
	set.SetInterspersed(false)
	set.Usage = func() {} // the caller prints errors and --help
	c.given = maps.Clone(c.given)
	if mayHaveFlags(args) {
		c.define(set)
	}
	if own != nil {
		own(set)
	}
	if err := set.Parse(args); err != nil {
		return nil, false, c.flagError(err, set)
	}
	return set.Args(), set.ArgsLenAtDash() >= 0, nil
}

// mayHaveFlags reports whether args begin with a flag.
func mayHaveFlags(args []string) bool {
	return len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "--"
}

// define adds the flags that set c.
func (c *Config) define(set *pflag.FlagSet) {
	for _, o := range options(c) {
		value := &flagValue{option: o, given: c.given}
		flag := set.VarPF(value, o.flag, o.short, o.help)
		switch o.value.Interface().(type) {
		case Toggle:
			flag.NoOptDefVal = "true"
		case Count:
			flag.NoOptDefVal = oneMore
		}
		if o.tag.Get("negated") != "" {
			set.VarPF(negation{value}, "no-"+o.flag, "", "").NoOptDefVal = "true"
		}
	}
}

// A flagValue sets an option from a flag. The first use of a flag that takes
// several replaces what the environment gave.
type flagValue struct {
	option
	given map[string]source
	used  bool
}

func (f *flagValue) Set(s string) error {
	list := f.value.Kind() == reflect.Slice
	if !f.used && (list || s == oneMore) {
		f.value.SetZero()
	}
	f.used, f.given[f.flag] = true, source{"--" + f.flag, s}
	value := f.value
	if list {
		value = reflect.New(f.value.Type().Elem()).Elem()
	}
	if err := unmarshal(value, s); err != nil {
		return err
	}
	if list {
		f.value.Set(reflect.Append(f.value, value))
	}
	return f.verify(s)
}

func (f *flagValue) String() string { return "" } // --help is written by Usage
func (f *flagValue) Type() string   { return f.value.Type().String() }

// A negation sets a toggle to the opposite.
type negation struct{ *flagValue }

func (n negation) Set(s string) error {
	if err := unmarshal(n.value, s); err != nil {
		return err
	}
	n.value.SetBool(!n.value.Bool())
	return nil
}

// flagError turns an error of pflag into one line with the flag, the value and
// what to do.
func (c *Config) flagError(err error, set *pflag.FlagSet) error {
	switch err := err.(type) {
	case *pflag.InvalidValueError:
		return fmt.Errorf("--%s: %w", err.GetFlag().Name, err.Unwrap())
	case *pflag.ValueRequiredError:
		return fmt.Errorf("--%[1]s: a value is missing (see nodeinit help %[1]s)", err.GetFlag().Name)
	case *pflag.NotExistError:
		return c.unknownFlag(err, set)
	default:
		return err
	}
}

func (c *Config) unknownFlag(unknown *pflag.NotExistError, set *pflag.FlagSet) error {
	name, dashes := unknown.GetSpecifiedName(), "-"
	var names []string
	if unknown.GetSpecifiedShortnames() == "" {
		dashes = "--"
		set.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	}
	near := Nearest(name, names)
	for _, o := range options(c) {
		if slices.Contains(strings.Split(o.tag.Get("pm2"), "|"), name) {
			near = o.flag
		}
	}
	hint := "see nodeinit --help"
	if near != "" {
		hint = "did you mean --" + near + "?"
	}
	return fmt.Errorf("%s%s: no such flag (%s)", dashes, name, hint)
}

// Nearest returns the name that takes the fewest edits to make from s, "" where
// that changes more than half of it.
func Nearest(s string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	near := slices.MinFunc(names, func(a, b string) int { return distance(s, a) - distance(s, b) })
	if d := distance(s, near); d > 1 && 2*d > len(near) {
		return ""
	}
	return near
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
