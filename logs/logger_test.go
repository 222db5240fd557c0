package logs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nodeinit/nodeinit/logs"
)

// hostile are strings that come from outside: names, paths, arguments.
var hostile = []string{
	"", " ", "plain", "two\nlines", "cr\r\n", "tab\t", `"quoted" and \`, "nul\x00nul", "\x1b[31mred", "\x7f",
	"\xff\xfe invalid", "half \xe2\x82", "☃ and 𝄞", "\u2028\u2029", "<script>&", "{\"level\":\"fatal\"}", "a=b c=d",
}

func TestJSONKeyOrder(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	before := time.Now().Truncate(time.Millisecond)
	logs.New(&out, logs.JSON, logs.LevelInfo, nil).Info("worker ready").
		Int("worker", 1).Str("argv", "a").Bool("oom", false).Err(errors.New("no")).Send()
	after := time.Now()
	pattern := regexp.MustCompile(`^\{"time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)","level":"info","logger":"nodeinit","msg":"worker ready","worker":1,"argv":"a","oom":false,"error":"no"\}\n$`)
	match := pattern.FindStringSubmatch(out.String())
	if match == nil {
		t.Fatalf("%q does not match %s", out.String(), pattern)
	}
	at, err := time.Parse(time.RFC3339, match[1])
	if err != nil || at.Before(before) || at.After(after) {
		t.Errorf("time is %v, %v, want between %v and %v", at, err, before, after)
	}
}

func TestJSONLinesStayValid(t *testing.T) {
	t.Parallel()
	for _, s := range hostile {
		var out bytes.Buffer
		logs.New(&out, logs.JSON, logs.LevelInfo, nil).Warn("hostile").Str("value", s).Str("last", "x").Send()
		line, rest, _ := strings.Cut(out.String(), "\n")
		if rest != "" || !utf8.ValidString(line) {
			t.Errorf("%q makes more than a line of UTF-8: %q", s, out.String())
		}
		var got struct{ Value, Last string }
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Errorf("%q makes %q: %v", s, line, err)
		}
		if got.Last != "x" || got.Value != withoutInvalid(s) {
			t.Errorf("%q comes back as %q", s, got.Value)
		}
	}
}

// withoutInvalid returns s with bytes that are not UTF-8 as \xHH.
func withoutInvalid(s string) string {
	var b strings.Builder
	for _, r := range s {
		if size := utf8.RuneLen(r); strings.HasPrefix(s, string(r)) {
			b.WriteRune(r)
			s = s[size:]
			continue
		}
		fmt.Fprintf(&b, `\x%02x`, s[0])
		s = s[1:]
	}
	return b.String()
}

func TestText(t *testing.T) {
	t.Parallel()
	for format, stamp := range map[logs.Format]string{
		logs.Text:     `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`,
		logs.Terminal: `\d\d:\d\d:\d\d\.\d{3}`,
	} {
		var out bytes.Buffer
		log := logs.New(&out, format, logs.LevelDebug, nil)
		log.Info("worker ready").Int("worker", 1).Send()
		log.Error("exit").Str("cause", "oom_kill").Float64("throttled_share", 0.25).Bool("requested", true).Send()
		log.Warn("hostile").Str("value", "a b\n\"c\x00").Str("empty", "").Send()
		log.Debug("no facts").Send()
		got := regexp.MustCompile(`(?m)^`+stamp+` `).ReplaceAllString(out.String(), "TIME ")
		want := `TIME INF nodeinit worker ready worker=1
TIME ERR nodeinit exit cause=oom_kill requested=true throttled_share=0.25
TIME WRN nodeinit hostile empty= value="a b\n\"c\x00"
TIME DBG nodeinit no facts
`
		if got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	}
}

func TestTextLinesStayWhole(t *testing.T) {
	t.Parallel()
	for _, s := range hostile {
		var out bytes.Buffer
		logs.New(&out, logs.Text, logs.LevelInfo, nil).Warn("hostile").Str("value", s).Send()
		text := out.String()
		if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") || strings.ContainsAny(text, "\x00\x1b\r") {
			t.Errorf("%q makes %q", s, text)
		}
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	levels := []logs.Level{logs.LevelTrace, logs.LevelDebug, logs.LevelInfo, logs.LevelWarn, logs.LevelError, logs.LevelOff}
	for i, least := range levels {
		var out bytes.Buffer
		log := logs.New(&out, logs.JSON, least, nil)
		log.Trace("line").Str("k", "v").Send()
		log.Debug("line").Str("k", "v").Send()
		log.Info("line").Str("k", "v").Send()
		log.Warn("line").Str("k", "v").Send()
		log.Error("line").Str("k", "v").Send()
		log.Flush(0) // nothing to wait for
		if got, want := strings.Count(out.String(), "\n"), 5-i; got != want {
			t.Errorf("at %v there are %d lines, want %d:\n%s", least, got, want, out.String())
		}
	}
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s    string
		want int // the length of what is left
	}{
		{"", 0},
		{strings.Repeat("a", 600), 600},
		{strings.Repeat("a", 601), 603},
		{strings.Repeat("a", 1<<20), 603},
		{strings.Repeat("\x00", 100), 100},
		{strings.Repeat("\x00", 101), 103},
		{strings.Repeat(`"`, 1000), 103},
		{strings.Repeat("\xff", 1000), 103},
	} {
		got := logs.Truncate(c.s)
		if len(got) != c.want || !strings.HasPrefix(c.s, strings.TrimSuffix(got, "...")) {
			t.Errorf("Truncate of %d times %.1q is %d long, want %d", len(c.s), c.s, len(got), c.want)
		}
	}
}

// Five truncated fields fit in a line that a pipe writes in one piece.
func TestTruncatedLinesFit(t *testing.T) {
	t.Parallel()
	for _, format := range []logs.Format{logs.JSON, logs.Text, logs.Terminal} {
		for _, unit := range append([]string{"a", `"`, `\`, "\n", "\xff", "\xe2\x82", "\U0010ffff", "\u2028"}, hostile[3:]...) {
			s := logs.Truncate(strings.Repeat(unit, 1000))
			var out bytes.Buffer
			logs.New(&out, format, logs.LevelInfo, nil).Warn("starting a program that has a long name").
				Str("first_field", s).Str("second_field", s).Str("third_field", s).Str("fourth_field", s).Str("fifth_field", s).
				Int("pid", 1<<22).Int64("memory_bytes", 1<<60).Send()
			if out.Len() > 4096 {
				t.Errorf("format %d, %q: %d bytes", format, unit, out.Len())
			}
		}
	}
}
