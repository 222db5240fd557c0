package admin

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Each field of a Document is in the JSON under its name.
func TestAppendJSONHasAllFields(t *testing.T) {
	t.Parallel()
	var d Document
	fill(reflect.ValueOf(&d).Elem(), new(int))
	expectDecoded(t, &d)
}

// fill gives all fields values that differ.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.5)
	case reflect.String:
		v.SetString(fmt.Sprint("value ", *n))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	default:
		panic(v.Kind())
	}
}

func TestAppendJSONOfNothing(t *testing.T) {
	t.Parallel()
	want := `{"version":0,"nodeinit":{"version":"","pid":0,"uptime_seconds":0},"mode":"","state":"","ready":0,"want":0,` +
		`"limits":{},"starts":0,"crashes":0,"reloads":0,"listen":[],"workers":[]}`
	if got := string((&Document{}).AppendJSON(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Whatever is in a Document, its JSON is valid, one line, and decoded it is the same, but
// for bytes that are not UTF-8 and numbers that are not in JSON.
func FuzzAppendJSON(f *testing.F) {
	f.Add("node", "\x1b\"\\\x00\n\xff\u2028", int64(1), 0.25, true)
	f.Add("", "\xed\xa0\x80</script>", int64(math.MinInt64), math.NaN(), false)
	f.Add("\xf0\x9f\x98", "日本", int64(math.MaxInt64), math.MaxFloat64, true)
	f.Add("\u0080\u009b2J", "\xc2\u009f\x9f\xc2", int64(-1), math.SmallestNonzeroFloat64, true)
	f.Add("a", "b", int64(0), math.Inf(-1), true)
	f.Fuzz(func(t *testing.T, a, b string, n int64, x float64, known bool) {
		d := &Document{
			Version: int(n), Nodeinit: Process{Version: a, PID: int(n), Uptime: x}, Mode: b, State: a, Ready: int(n), Scaled: n%2 == 0, Change: b,
			Argv: []string{a, b, a + b}, Limits: Limits{CPUs: x, CPUsFrom: a, Memory: n, MemoryFrom: b}, Listen: []Listen{{Address: a}},
			Workers: []Worker{{Slot: int(n), PID: int(n), State: b, Uptime: x, HealthFailures: int(n), HealthError: b, LastExit: a}, {State: a + b}},
		}
		if known {
			narrow := int(n)
			d.Throttled, d.Memory = &x, &n
			d.Workers[0].CPU, d.Workers[0].Requests, d.Workers[1].DelayP99 = &x, &n, &x
			d.Listen = append(d.Listen, Listen{Address: b, Queue: &narrow, Backlog: &narrow})
		}
		expectDecoded(t, d)
	})
}

// isControl reports whether a terminal may obey r.
func isControl(r rune) bool { return unicode.IsControl(r) && r != unicode.MaxASCII }

// expectDecoded checks that the JSON of d is d.
func expectDecoded(t *testing.T, d *Document) {
	t.Helper()
	text := d.AppendJSON([]byte("before"))
	rest, ok := strings.CutPrefix(string(text), "before")
	if !ok || !json.Valid([]byte(rest)) || !utf8.ValidString(rest) || strings.ContainsFunc(rest, isControl) {
		t.Fatalf("not a line of JSON: %q", text)
	}
	var got Document
	if err := json.Unmarshal([]byte(rest), &got); err != nil {
		t.Fatalf("%v: %s", err, rest)
	}
	want := *d
	repair(reflect.ValueOf(&want).Elem())
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v\nof %s", got, want, rest)
	}
}

// repair makes of all in v what JSON can say.
func repair(v reflect.Value) {
	switch v.Kind() {
	case reflect.Float64:
		if x := v.Float(); math.IsNaN(x) || math.IsInf(x, 0) {
			v.SetFloat(0)
		} else if x == 0 {
			v.SetFloat(0) // -0 is in JSON, but a DeepEqual of it is not what is tested
		}
	case reflect.String:
		v.SetString(visibleBytes(v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			changed := reflect.New(v.Type().Elem())
			changed.Elem().Set(v.Elem())
			repair(changed.Elem())
			v.Set(changed)
		}
	case reflect.Slice:
		changed := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(changed, v)
		for i := range v.Len() {
			repair(changed.Index(i))
		}
		v.Set(changed)
	case reflect.Struct:
		for i := range v.NumField() {
			repair(v.Field(i))
		}
	}
}

// visibleBytes returns text with \xHH for each byte that is not UTF-8.
func visibleBytes(text string) string {
	var b strings.Builder
	for text != "" {
		r, size := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, `\x%02x`, text[0])
		} else {
			b.WriteString(text[:size])
		}
		text = text[size:]
	}
	return b.String()
}
