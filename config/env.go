package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v10"
)

// Names that nodeinit gives to its children and that are no settings: one nodeinit
// inside another finds them. Without the count, the first was meant as a setting.
const (
	workerEnv      = envPrefix + "WORKER"
	workerCountEnv = envPrefix + "WORKER_COUNT"
	channelEnv     = envPrefix + "CHANNEL"
)

// FromEnviron returns what the NODEINIT_ variables of environ set. It reports every
// bad value in one error, one line each.
func FromEnviron(environ []string) (Config, error) {
	vars := ours(environ)
	if len(vars) == 0 {
		return Default(), nil
	}
	return fromVars(vars)
}

func fromVars(vars map[string]string) (Config, error) {
	c := Default()
	for _, o := range options(&c) {
		if text := vars[o.env]; text != "" {
			c.given[o.flag] = source{o.env, text}
		}
		if o.tag.Get("envSeparator") == lineSeparator {
			vars[o.env] = splitLines(vars[o.env], o.value.Type() == reflect.TypeFor[[]Command]())
		}
	}
	err := env.ParseWithOptions(&c, env.Options{Prefix: envPrefix, Environment: vars})
	return c, c.environError(err)
}

// ours returns the variables of environ that begin as nodeinit's do, nil if there are
// none.
func ours(environ []string) (vars map[string]string) {
	for _, kv := range environ {
		if !strings.HasPrefix(kv, envPrefix) {
			continue
		}
		if vars == nil {
			vars = make(map[string]string)
		}
		name, value, _ := strings.Cut(kv, "=")
		vars[name] = value
	}
	return vars
}

// environError names the variables in an error of package env, in the order of the
// settings, and adds what that package does not check.
func (c *Config) environError(err error) error {
	bad := make(map[string]error) // by field
	all, ok := err.(env.AggregateError)
	if !ok && err != nil {
		return err
	}
	for _, err := range all.Errors {
		parse, ok := err.(env.ParseError)
		if !ok {
			return err
		}
		bad[parse.Name] = parse.Err
	}
	var lines []error
	for _, o := range options(c) {
		err := bad[o.field]
		if given, ok := c.given[o.flag]; ok && err == nil {
			err = o.verify(given.text)
		}
		if err != nil {
			lines = append(lines, fmt.Errorf("%s: %w", o.env, err))
		}
	}
	return errors.Join(lines...)
}

// lineSeparator stands for the end of a line between the values of a variable:
// a byte that none can have in it.
const lineSeparator = "\x00"

// splitLines puts lineSeparator between the lines of text that are not empty. In
// commands the end of a line in quotes, or after a backslash, belongs to the value.
func splitLines(text string, commands bool) string {
	split, quote := []byte(text), byte(0)
	for i := 0; i < len(split); i++ {
		switch c := split[i]; {
		case !commands:
			if c == '\n' {
				split[i] = lineSeparator[0]
			}
		case c == '\\' && quote != '\'':
			i++
		case c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && c == '\n':
			split[i] = lineSeparator[0]
		}
	}
	var lines []string
	for line := range strings.SplitSeq(string(split), lineSeparator) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, lineSeparator)
}

// Unknown returns the NODEINIT_ names in environ that mean nothing, each with the
// nearest name that does, "" where none is near.
func Unknown(environ []string) map[string]string {
	vars := ours(environ)
	if len(vars) == 0 {
		return nil
	}
	known := []string{workerCountEnv, channelEnv}
	if _, numbered := vars[workerCountEnv]; numbered {
		known = append(known, workerEnv)
	}
	var bare []string // without the prefix, which makes all names alike
	for _, s := range settings() {
		known = append(known, s.env)
		bare = append(bare, s.env[len(envPrefix):])
	}
	unknown := make(map[string]string)
	for name := range vars {
		if slices.Contains(known, name) {
			continue
		}
		unknown[name] = Nearest(strings.ToUpper(name[len(envPrefix):]), bare)
		if unknown[name] != "" {
			unknown[name] = envPrefix + unknown[name]
		}
	}
	return unknown
}
