package config

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
)

// The types of configuration values. Each reads itself, and an error of one
// names the value and gives an example: what flag or variable it came from is
// put in front by the caller. String is what --help shows as the default.

// A Choice is one of a few words, which the tags of the field list; "" is not set.
type Choice string

// UnmarshalText takes any text: what uses it knows which words there are.
func (c *Choice) UnmarshalText(b []byte) error { *c = Choice(b); return nil }

// A Text is any, in UTF-8; "" is not set.
type Text string

// maxText is in bytes.
const maxText = 1024

// UnmarshalText takes any text that is not too long.
func (t *Text) UnmarshalText(b []byte) error {
	if len(b) == 0 || len(b) > maxText || !utf8.Valid(b) {
		return fmt.Errorf("%q is not from 1 to %d bytes of UTF-8 (try shutdown)", b, maxText)
	}
	*t = Text(b)
	return nil
}

// An EnvName is the name of an environment variable; "" is none.
type EnvName string

// reservedNames are variables that nodeinit, Node, the dynamic loader or what starts
// programs read themselves. A name that ends in _ stands for all that begin so.
var reservedNames = [...]string{
	envPrefix, "WEB_CONCURRENCY",
	"NODE_OPTIONS", "NODE_PATH", "NODE_ENV", "NODE_EXTRA_CA_CERTS", "NODE_V8_COVERAGE", "NODE_UNIQUE_ID", "NODE_CHANNEL_", "UV_THREADPOOL_SIZE",
	"LD_", "PATH", "HOME", "TZ",
}

// isReserved reports whether name is one of reservedNames.
func isReserved(name string) bool {
	for _, reserved := range reservedNames {
		if name == reserved || strings.HasSuffix(reserved, "_") && strings.HasPrefix(name, reserved) {
			return true
		}
	}
	return false
}

// UnmarshalText reads a name, or off.
func (n *EnvName) UnmarshalText(b []byte) error {
	*n = EnvName(b)
	if *n == "off" {
		*n = ""
		return nil
	}
	for i, c := range b {
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9' || i == 0) {
			b = nil
			break
		}
	}
	const try = "(try NODE_APP_INSTANCE, or off)"
	switch {
	case len(b) == 0:
		return fmt.Errorf("%q is no name of an environment variable %s", string(*n), try)
	case strings.EqualFold(string(b), "off"):
		return fmt.Errorf("%q is neither a usable name nor off (try off)", b)
	case isReserved(string(b)):
		return fmt.Errorf("%q is read by nodeinit, Node or the loader, which would take a worker's number for its value %s", b, try)
	}
	return nil
}

func (n EnvName) String() string {
	if n == "" {
		return "off"
	}
	return string(n)
}

// A Toggle is on or off.
type Toggle bool

// UnmarshalText reads 1, true, yes or on, or their opposites; "" is off.
func (t *Toggle) UnmarshalText(b []byte) error {
	switch strings.ToLower(string(b)) {
	case "1", "true", "yes", "on":
		*t = true
	case "0", "false", "no", "off", "":
		*t = false
	default:
		return fmt.Errorf("%q is neither true nor false (try true)", b)
	}
	return nil
}

// A Duration is Go's, or seconds without a unit.
type Duration time.Duration

// UnmarshalText reads 9s, 1m30s or plain seconds.
func (d *Duration) UnmarshalText(b []byte) error {
	text := string(b)
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "s"
	}
	v, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is not a duration (try 9s)", b)
	}
	if v < 0 {
		return fmt.Errorf("%q is negative (try 9s)", b)
	}
	*d = Duration(v)
	return nil
}

func (d Duration) String() string { return time.Duration(d).String() }

// minHang is some times as long as the agent takes from report to report.
const minHang = Duration(3 * time.Second)

// minInterval is how seldom the workers are asked at most.
const minInterval = Duration(100 * time.Millisecond)

// A Count is how often a flag was given.
type Count int

// UnmarshalText reads a number, or one more.
func (c *Count) UnmarshalText(b []byte) error {
	if string(b) == oneMore {
		*c++
		return nil
	}
	n, err := strconv.Atoi(string(b))
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a count (try 1)", b)
	}
	*c = Count(n)
	return nil
}

// A Number is a whole one, not negative.
type Number int

// UnmarshalText reads a whole number.
func (n *Number) UnmarshalText(b []byte) error {
	v, err := strconv.Atoi(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a number (try 3)", b)
	}
	*n = Number(v)
	return nil
}

// WorkerCount is how many workers there are to be: so many, one for each CPU that
// may be used, or, as zero value, as many as the limits are good for.
type WorkerCount struct {
	Max   bool
	Fixed int
}

// maxWorkers is more than any machine has CPUs, and no mistyped port.
const maxWorkers = 1024

// UnmarshalText reads auto, max or a number.
func (w *WorkerCount) UnmarshalText(b []byte) error {
	switch string(b) {
	case "auto":
		*w = WorkerCount{}
	case "max":
		*w = WorkerCount{Max: true}
	default:
		n, err := strconv.Atoi(string(b))
		if err != nil || n < 1 || n > maxWorkers {
			return fmt.Errorf("%q is neither auto nor max nor a number from 1 to %d (try auto)", b, maxWorkers)
		}
		*w = WorkerCount{Fixed: n}
	}
	return nil
}

func (w WorkerCount) String() string {
	switch {
	case w.Max:
		return "max"
	case w.Fixed == 0:
		return "auto"
	default:
		return strconv.Itoa(w.Fixed)
	}
}

// A Command is a program and its arguments, as a shell would take them: see
// [github.com/nodeinit/nodeinit/node.Words].
type Command string

// UnmarshalText takes any command but none.
func (c *Command) UnmarshalText(b []byte) error {
	if strings.TrimSpace(string(b)) == "" {
		return fmt.Errorf("%q is no command (try \"node migrate.js\")", b)
	}
	*c = Command(b)
	return nil
}

// A Regexp is a regular expression of Go's package regexp, which has RE2's syntax and
// takes time linear in the length of a line, whatever that is.
type Regexp struct{ *regexp.Regexp }

// UnmarshalText takes no expression that matches nothing at all: it would match
// between any two characters.
func (r *Regexp) UnmarshalText(b []byte) (err error) {
	const try = `(try 'password=[^ "&]+')`
	if r.Regexp, err = regexp.Compile(string(b)); err != nil {
		why := err.Error()
		if e, ok := err.(*syntax.Error); ok { // without the expression, which may have line breaks
			why = fmt.Sprintf("%s: %q", e.Code, e.Expr)
		}
		return fmt.Errorf("%q is no regular expression: %s %s", b, why, try)
	}
	if r.MatchString("") {
		return fmt.Errorf("%q matches the empty string, and so everywhere %s", b, try)
	}
	return nil
}

// A Control is where the control socket is: auto, off or a path.
type Control string

// maxSocketPath is how long the path of a socket can be (unix(7), sun_path, which a zero
// byte ends).
const maxSocketPath = 107

// UnmarshalText reads auto, off or an absolute path: nodeinit changes its directory.
func (c *Control) UnmarshalText(b []byte) error {
	text := string(b)
	switch {
	case text == "auto", text == "off":
	case !strings.HasPrefix(text, "/") || strings.HasSuffix(text, "/"):
		return fmt.Errorf("%q is neither auto nor off nor an absolute path (try /tmp/nodeinit.sock)", b)
	case len(text) > maxSocketPath:
		return fmt.Errorf("%q is longer than the %d bytes that the path of a socket can have (try /tmp/nodeinit.sock)", b, maxSocketPath)
	}
	*c = Control(text)
	return nil
}

// A Signal is one by name or number; 0 is not set.
type Signal unix.Signal

// UnmarshalText reads a signal as [signals.Parse] does.
func (s *Signal) UnmarshalText(b []byte) error {
	sig, err := signals.Parse(string(b))
	*s = Signal(sig)
	return err
}

// Sig returns s as a signal that can be sent.
func (s Signal) Sig() unix.Signal { return unix.Signal(s) }

func (s Signal) String() string {
	if s == 0 {
		return ""
	}
	return signals.Name(s.Sig())
}

// A Remap replaces one exit status by another.
type Remap struct{ From, To int }

// UnmarshalText reads CODE or CODE:TO.
func (r *Remap) UnmarshalText(b []byte) error {
	from, to, found := strings.Cut(strings.TrimLeft(string(b), " "), ":") // a space after a comma
	if !found {
		to = "0"
	}
	var err1, err2 error
	r.From, err1 = strconv.Atoi(from)
	r.To, err2 = strconv.Atoi(to)
	if err1 != nil || err2 != nil || r.From < 0 || r.From > 255 || r.To < 0 || r.To > 255 {
		return fmt.Errorf("%q is not CODE[:TO] with statuses from 0 to 255 (try 143 or 143:0)", b)
	}
	return nil
}

func (r Remap) String() string { return fmt.Sprintf("%d:%d", r.From, r.To) }
