package config

import (
	"encoding"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

var badRoutes = []string{"on", "metrics", "0/metrics", "65536/metrics", "-1/m", "+1/m", "9100", ":9100/m", "localhost/m", "http://localhost/m", "/a b", "/a\r\nHost: b", "/a\x00", "/ä", "/a\x7f", "/a#b", " /a"}

// bad are values that an option does not take, as a flag or in the environment.
var bad = map[string][]string{
	"mode":          {"cluster", "Auto", "percore", " fork"},
	"workers":       {"0", "-1", "1025", "two", "1.5", "Max"},
	"balance":       {"none", "RR", "iphash", "least-conn"},
	"pre":           {"", " "},
	"max-crashes":   {"-1", "many", "1.5", "+x"},
	"crash-window":  {"9x", "-1s", "minute"},
	"cpus":          {"0", "-1", "NaN", "Inf", "-Inf", "two", "1,5", "1e300", "2 ", "1048577"},
	"memory":        {"0", "512", "4194303", "4095K", "-1", "512X", "M", "B", "iB", "512I", "512IB", "512KK", "1e30", "9223372036854775808", "8388608T", "NaN", "InfM", "0.5", "512 M", "1/2G"},
	"heap":          {"on", "0", "-1", "1023K", "512X", "Auto", "50%"},
	"grace":         {"9x", "-1", "-1s", "s", "nine", "NaN", "Inf", "1e3", "9 s", "9223372037", "1h-1m", "5,5"},
	"drain-delay":   {"9x", "-1s", "soon"},
	"ready":         {"auto", "Listen", "ready"},
	"ready-timeout": {"9x", "-1s"},
	"stop-order":    {"Signal", "both", "none"},
	"reload-signal": {"NOPE", "0", "65", "TERM", "SIGINT", "3", "KILL", "STOP", "CHLD", "PIPE", "URG", "PROF", "TTIN", "32", "RTMIN", "SEGV", "ABRT", "6", "HUP,USR2"},
	"max-memory":    {"0", "0%", "-1%", "101%", "100.1%", "NaN%", "Inf%", "%", "80 %", "1023K", "512X", "on", "Off"},
	"max-age":       {"9x", "-1h", "1d"},
	"hang-timeout":  {"9x", "-5s", "1", "2.9s", "1ns"},
	"resize":        {"maybe", "2"},
	"no-agent":      {"maybe", "-1"},
	"stop-signal":   {"NOPE", "0", "65", "-1", "TERM,INT", "SIG", "STOP", "CHLD", "PIPE", "URG", "32", "RTMIN"},
	"group":         {"maybe", "2", "truee"},
	"rewrite":       {"TERM", "TERM:NOPE", "NOPE:0", "KILL:TERM", "TERM:CHLD", ":", "TERM:INT:HUP"},
	"remap-exit":    {"256", "-1", "1:256", "1:-1", "x", "1:", ":1", "1:2:3", "1.0"},
	"subreaper":     {"maybe", "10"},
	"pdeathsig":     {"NOPE", "0", "65"},
	"warn-on-reap":  {"maybe", "-1"},
	"log-format":    {"xml", "JSON"},
	"log-level":     {"loud", "warning", "Info", "fatal", "disabled"},
	"log-to":        {"file", "/dev/stdout", "syslog"},
	"verbose":       {"-1", "much", "1.5", "+x"},
	"logs":          {"text", "JSON", "line", "off"},
	"log-fields":    {"google", "elastic", "GCP", "aws"},
	"redact":        {"", "[a", "(a", "a*", "(?=a)", `\`, `(a)\1`, "^", "a|", "a{1001}", "\xff", "[a\nb"},
	"no-multiline":  {"maybe", "2"},
	"strip-colors":  {"maybe", "-1"},
	"stop-message":  {"\xff", strings.Repeat("x", maxText+1)},
	"instance-var":  {"1A", "A B", "A-B", "A=", "=", "É", "{", "@A", "A.B", "NODE_OPTIONS", "NODE_UNIQUE_ID", "NODE_CHANNEL_FD", "NODEINIT_WORKER", "NODEINIT_GRACE", "NODE_PATH", "PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "OFF", "Off"},
	"metrics": {"on", "Off", "0", ":0", "65536", ":65536", "+80", "-1", "80 ", " 80", "0x50", "host:80", "localhost", "localhost:", ":", "127.0.0.1", "127.0.0.1:", "127.0.0:80", "256.0.0.1:80",
		"127.1:80", "0177.0.0.1:80", "::1:80", "[::1]", "[::1]80", "[::1:80", "::1]:80", "[127.0.0.1]:80", "[fe80::1%eth0]:80", "[]:80", "a\nb", "http://127.0.0.1:80", "*:80"},
	"metrics-app":     append([]string{"9100/" + strings.Repeat("a", maxPath)}, badRoutes...),
	"health-path":     append([]string{"/" + strings.Repeat("a", maxPath)}, badRoutes...),
	"health-interval": {"9x", "-1s", "0", "0s", "99ms", "often"},
	"health-failures": {"0", "-1", "1.5", "many"},
	"control":         {"on", "Auto", "nodeinit.sock", "./a", "@nodeinit/1/1", "/tmp/", "/" + strings.Repeat("x", 107)},
}

// A bad value is told in one line with where it is, the value and an example.
func TestBadValues(t *testing.T) {
	t.Parallel()
	original := Default()
	for _, o := range options(&original) {
		if len(bad[o.flag]) == 0 {
			t.Errorf("--%s is not tested", o.flag)
		}
		for _, value := range bad[o.flag] {
			checkBad(t, "--"+o.flag+": ", value, nil, []string{"--" + o.flag + "=" + value, "--", "true"})
			if o.short != "" && o.arg != "" {
				checkBad(t, "--"+o.flag+": ", value, nil, []string{"-" + o.short, value, "--", "true"})
			}
			if o.value.Kind().String() != "slice" {
				checkBad(t, o.env+": ", value, []string{o.env + "=" + value}, []string{"true"})
			}
		}
		switch o.value.Interface().(type) {
		case Toggle, Count:
		default:
			checkBad(t, "--"+o.flag+": ", "", nil, []string{"--" + o.flag + "=", "true"})
		}
	}
	checkBad(t, "NODEINIT_REWRITE: ", "QUIT:NOPE", []string{"NODEINIT_REWRITE=TERM:INT,QUIT:NOPE"}, []string{"true"})
	checkBad(t, "NODEINIT_REMAP_EXIT: ", "300", []string{"NODEINIT_REMAP_EXIT=1:2,300"}, []string{"true"})
}

func checkBad(t *testing.T, where, value string, environ, args []string) {
	t.Helper()
	c, err := FromEnviron(environ)
	if err == nil {
		_, _, err = c.Parse(args, nil)
	}
	if err == nil {
		t.Errorf("%q %q: no error", environ, args)
		return
	}
	text := err.Error()
	if strings.Contains(text, "\n") || !strings.HasPrefix(text, where) || !strings.Contains(text, strconv.Quote(value)) || !strings.Contains(text, "try ") {
		t.Errorf("%q %q: %q is not one line with where it is, the value and an example", environ, args, text)
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"off": "off", "9464": ":9464", ":9464": ":9464", "1": ":1", "65535": ":65535", "127.0.0.1:80": "127.0.0.1:80", "0.0.0.0:80": "0.0.0.0:80",
		"[::1]:80": "[::1]:80", "[::]:80": "[::]:80", "[::ffff:10.0.0.1]:80": "[::ffff:10.0.0.1]:80", "localhost:80": "127.0.0.1:80", "080": ":80",
	} {
		a := Address{Port: 7}
		if err := a.UnmarshalText([]byte(text)); err != nil || a.String() != want {
			t.Errorf("%q is %v, %v, want %v", text, a, err, want)
		}
	}
}

func TestRoute(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Route{
		"off": {}, "/": {0, "/"}, "/metrics": {0, "/metrics"}, "9100/metrics": {9100, "/metrics"}, "1/a?b=c&d=%20/e": {1, "/a?b=c&d=%20/e"},
		"/" + strings.Repeat("a", maxPath-1): {0, "/" + strings.Repeat("a", maxPath-1)},
	} {
		r := Route{7, "/x"}
		if err := r.UnmarshalText([]byte(text)); err != nil || r != want {
			t.Errorf("%q is %v, %v, want %v", text, r, err, want)
		}
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"9": 9 * time.Second, "9s": 9 * time.Second, "1.5": 1500 * time.Millisecond, "1m30s": 90 * time.Second,
		"0": 0, "0s": 0, "-0": 0, ".5": 500 * time.Millisecond, "100ms": 100 * time.Millisecond, "2h": 2 * time.Hour,
		"+1": time.Second, "9223372036": 9223372036 * time.Second, "1ns": 1,
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || time.Duration(d) != want {
			t.Errorf("%q is %v, %v, want %v", text, d, err, want)
		}
	}
	var d Duration
	if err := d.UnmarshalText([]byte("-1s")); err == nil || err.Error() != `"-1s" is negative (try 9s)` {
		t.Errorf("-1s: %v", err)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"1": 1, "536870912": 512 << 20, "512M": 512 << 20, "512m": 512 << 20, "512MB": 512 << 20, "512Mi": 512 << 20,
		"512MiB": 512 << 20, "512mib": 512 << 20, "1Gi": 1 << 30, "1G": 1 << 30, "1.5G": 3 << 29, "0.5K": 512, "2T": 2 << 40,
		"100b": 100, "100B": 100, "1e3": 1000, "8388607T": 8388607 << 40, "9007199254740992": 1 << 53, "1.9": 1,
	} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || int64(s) != want {
			t.Errorf("%q is %d, %v, want %d", text, s, err, want)
		}
	}
}

func TestCPUsAndHeap(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{"1": 1, "1.5": 1.5, "0.001": 0.001, "64": 64, "1048576": 1 << 20, "5e-1": 0.5} {
		var c CPUs
		if err := c.UnmarshalText([]byte(text)); err != nil || float64(c) != want {
			t.Errorf("%q is %v, %v, want %v", text, c, err, want)
		}
	}
	for text, want := range map[string]Heap{"auto": {Auto: true}, "off": {}, "512M": {Fixed: 512 << 20}, "1M": {Fixed: 1 << 20}, "1048576": {Fixed: 1 << 20}} {
		h := Heap{Auto: true, Fixed: 7}
		if err := h.UnmarshalText([]byte(text)); err != nil || h != want {
			t.Errorf("%q is %v, %v, want %v", text, h, err, want)
		}
	}
}

func TestRemap(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Remap{
		"143": {143, 0}, "143:0": {143, 0}, "0:1": {0, 1}, "255:255": {255, 255}, "0": {0, 0}, "007:010": {7, 10},
	} {
		var r Remap
		if err := r.UnmarshalText([]byte(text)); err != nil || r != want {
			t.Errorf("%q is %v, %v, want %v", text, r, err, want)
		}
	}
}

func TestToggle(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Toggle{
		"1": true, "true": true, "TRUE": true, "Yes": true, "on": true, "0": false, "false": false, "no": false, "OFF": false, "": false,
	} {
		g := !want
		if err := g.UnmarshalText([]byte(text)); err != nil || g != want {
			t.Errorf("%q is %v, %v, want %v", text, g, err, want)
		}
	}
}

func TestMaxMemory(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]MaxMemory{
		"off": {}, "512M": {Fixed: 512 << 20}, "1M": {Fixed: 1 << 20}, "80%": {Percent: 80}, "0.5%": {Percent: 0.5}, "100%": {Percent: 100},
	} {
		m := MaxMemory{Fixed: 7, Percent: 7}
		if err := m.UnmarshalText([]byte(text)); err != nil || m != want {
			t.Errorf("%q is %v, %v, want %v", text, m, err, want)
		}
	}
}

// roundTrip reads text and, if that is a value, what the value prints.
func roundTrip[T comparable, P interface {
	*T
	encoding.TextUnmarshaler
}](t *testing.T, text string) (v T, ok bool) {
	t.Helper()
	if err := P(&v).UnmarshalText([]byte(text)); err != nil {
		if s := err.Error(); !strings.Contains(s, strconv.Quote(text)) || !strings.Contains(s, "try ") || strings.Contains(s, "\n") {
			t.Fatalf("%q: not one line with the value and an example: %q", text, s)
		}
		return v, false
	}
	var again T
	if err := P(&again).UnmarshalText(fmt.Append(nil, v)); err != nil || again != v {
		t.Fatalf("%q is %v, and that is %v, %v", text, v, again, err)
	}
	return v, true
}

func FuzzDuration(f *testing.F) {
	f.Add("1m30s")
	f.Add("1.5")
	f.Add("-1e9h")
	f.Fuzz(func(t *testing.T, text string) {
		if d, ok := roundTrip[Duration](t, text); ok && d < 0 {
			t.Fatalf("%q is %v", text, d)
		}
		c := Default()
		if _, _, err := c.Parse([]string{"--hang-timeout=" + text}, nil); err == nil && c.HangTimeout != 0 && c.HangTimeout < minHang {
			t.Fatalf("%q is %v", text, c.HangTimeout)
		}
	})
}

func FuzzSize(f *testing.F) {
	f.Add("1.5GiB")
	f.Add("0x1p62")
	f.Add("9223372036854775807")
	f.Add("82.5%")
	f.Fuzz(func(t *testing.T, text string) {
		if s, ok := roundTrip[Size](t, text); ok && s < 1 {
			t.Fatalf("%q is %d", text, s)
		}
		if m, ok := roundTrip[MaxMemory](t, text); ok && (m.Fixed != 0 && m.Fixed < 1<<20 || m.Percent < 0 || m.Percent > 100) {
			t.Fatalf("%q is %v", text, m)
		}
		if h, ok := roundTrip[Heap](t, text); ok && h.Fixed != 0 && h.Fixed < 1<<20 {
			t.Fatalf("%q is %d", text, h.Fixed)
		}
	})
}

func FuzzRemap(f *testing.F) {
	f.Add("143:0")
	f.Add("+1:-0")
	f.Fuzz(func(t *testing.T, text string) {
		if r, ok := roundTrip[Remap](t, text); ok && (r.From|r.To)&^255 != 0 {
			t.Fatalf("%q is %v", text, r)
		}
		if c, ok := roundTrip[CPUs](t, text); ok && !(c > 0 && c <= 1<<20) {
			t.Fatalf("%q is %v", text, c)
		}
	})
}

func FuzzAddress(f *testing.F) {
	f.Add("[::1]:9464")
	f.Add("127.0.0.1:9464")
	f.Add("9464")
	f.Add("9100/metrics?a=b")
	f.Fuzz(func(t *testing.T, text string) {
		if a, ok := roundTrip[Address](t, text); ok && (a.Port < 0 || a.Port > 65535 || (a.Port == 0) != (text == "off")) {
			t.Fatalf("%q is %v", text, a)
		}
		if r, ok := roundTrip[Route](t, text); ok && text != "off" && (r.Port < 0 || r.Port > 65535 || r.Path[0] != '/' || strings.ContainsAny(r.Path, " \r\n\x00")) {
			t.Fatalf("%q is %v", text, r)
		}
	})
}
