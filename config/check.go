package config

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
)

// Check finds values that are good by themselves but not together.
func (c *Config) Check() error {
	if c.Logs == "raw" && len(c.Redact) > 0 {
		return fmt.Errorf("%s: %q needs --logs lines or json, and %s is raw (try --logs lines)", c.names(&c.Redact), c.Redact[0], c.Source(&c.Logs))
	}
	return c.checkSignals()
}

// checkSignals finds signals that would have two meanings.
func (c *Config) checkSignals() error {
	rewritten := make(map[unix.Signal]bool)
	for _, r := range c.Rewrite {
		if rewritten[r.From] {
			return fmt.Errorf("%s: %q: %s is rewritten twice (keep one)", c.names(&c.Rewrite), r, signals.Name(r.From))
		}
		rewritten[r.From] = true
	}
	reload, why := c.ReloadSignal.Sig(), ""
	_, stop := c.Rules().Apply(reload)
	switch {
	case reload == 0:
		return nil
	case rewritten[reload]:
		why = "is rewritten too"
	case stop:
		why = "is " + c.Flag(&c.StopSignal) + " too"
	case reload == c.Pdeathsig.Sig():
		why = "is " + c.Flag(&c.Pdeathsig) + " too"
	default:
		return nil
	}
	return fmt.Errorf("%s: %q %s (try another)", c.names(&c.ReloadSignal), c.ReloadSignal, why)
}

// maxGrace is more than any orchestrator waits: a longer time was likely meant as
// milliseconds, as PM2's kill_timeout is.
const maxGrace = Duration(10 * time.Minute)

// LongGrace returns a warning where the grace is likely a mistake: long, and without
// a unit; "" where not.
func (c *Config) LongGrace() string {
	if c.Grace <= maxGrace {
		return ""
	}
	flag := c.of(&c.Grace).flag
	text := c.given[flag].text
	if _, err := strconv.ParseFloat(text, 64); err != nil {
		return ""
	}
	return fmt.Sprintf("--%[1]s %[2]s is %[3]s: a number without a unit is in seconds (%[2]s ms is --%[1]s %[4]s)",
		flag, text, c.Grace, c.Grace/1000)
}

// NeverComing returns a line for each setting that waits for a signal which
// ignored says was ignored when nodeinit was started, and therefore stays so.
func (c *Config) NeverComing(ignored func(unix.Signal) bool) (lines []string) {
	check := func(field any, sig unix.Signal) {
		if sig != 0 && ignored(sig) {
			lines = append(lines, fmt.Sprintf("%s: %s never comes, as it was ignored when nodeinit was started "+
				"(do not start it by nohup or as a background job of a script, or take another one, as USR2)",
				c.Flag(field), signals.Name(sig)))
		}
	}
	check(&c.StopSignal, c.StopSignal.Sig())
	check(&c.ReloadSignal, c.ReloadSignal.Sig())
	check(&c.Pdeathsig, c.Pdeathsig.Sig())
	for _, r := range c.Rewrite {
		check(&c.Rewrite, r.From)
	}
	return lines
}

// Remapped returns the status to exit with when the result would be code.
func (c *Config) Remapped(code int) int {
	for _, r := range c.RemapExit {
		if r.From == code {
			return r.To
		}
	}
	return code
}

// OwnText reports whether nodeinit's own lines are text, on a terminal or not. JSON is
// asked for as a whole.
func (c *Config) OwnText(terminal bool) bool {
	return c.LogFormat == "text" || c.LogFormat == "auto" && c.Logs != "json" && terminal
}

// Redactions returns what is replaced in lines.
func (c *Config) Redactions() (list []*regexp.Regexp) {
	for _, r := range c.Redact {
		list = append(list, r.Regexp)
	}
	return list
}

// Rules returns what becomes of a signal that nodeinit gets.
func (c *Config) Rules() signals.Rules {
	return signals.Rules{Rewrites: c.Rewrite, Stop: c.StopSignal.Sig()}
}

// PreRules returns the rules for what runs before the program, when there is
// nothing to reload.
func (c *Config) PreRules() signals.Rules {
	rules := c.Rules() // where no signal means a reload, the one dropped is 0, which never comes
	rules.Rewrites = append([]signals.Rewrite{{From: c.ReloadSignal.Sig()}}, rules.Rewrites...)
	return rules
}
