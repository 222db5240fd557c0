package logs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// now is given to encoders, and stamp is what they make of it.
var now = time.Date(2026, 11, 28, 13, 4, 5, 6_999_999, time.FixedZone("CET", 3600))

const stamp = "2026-11-28T12:04:05.006Z"

// objects are lines that scan has to find its way through.
var objects = []string{
	pinoLine, `{}`, `{ }`, " \t\r\n{ \t\r\n} \t\r\n", `{"a":1}`, `{"a" : 1 , "b" : [ 1 , 2 ] }`, `{"a":[]}`, `{"a":{}}`, `{"a":[{}]}`, `{"":0}`, `{"\\":"\""}`,
	`{"a":-0}`, `{"a":0.5}`, `{"a":1e5}`, `{"a":-1.25E-10,"b":1E+2}`, `{"a":[0,-0,10,-10,0e0]}`, `{"a":true,"b":false,"c":null}`,
	`{"time":1,"level":30,"worker":1,"pid":1,"stream":"x","severity":"x"}`, `{"level":"WARN"}`, `{"level" : 50 }`, `{"level":10,"level":60}`, `{"severity":"ERROR"}`, `{"log.level":"error"}`, `{"level":60,"level":null}`,
	`{"\u0074ime":1,"l\u0065vel":20,"pi\u0064":1}`, `{"\u006c\u0065\u0076\u0065\u006c":"\u0064ebug"}`, `{"tim\u00e9":1,"ti\me":1}`, `{"\ttime":1}`, `{"time\/":1,"str\"eam":2}`,
	`{"severity":"x","level":1e2}`, `{"level":35.9}`, `{"level":3e1}`, `{"level":-30}`, `{"level":1e999}`, `{"level":true}`, `{"level":"audit"}`, `{"level":"a word that is too long"}`,
	`{"timestamp":1,"status":200,"message":"x"}`, `{"@timestamp":1,"log.level":"info","ecs.version":"1"}`, `{"log":{"level":"x"},"ecs":{}}`,
	`{"a":{"time":1,"level":{"level":40},"pid":[{"stream":1}]}}`, `{"Time":1,"tIme":1,"Level":30}`, "{\"a\":\"\x7f\xff\xc3\x28 \u2028\"}", "{\"\xff\":1}",
	`{"a":"` + strings.Repeat("x", 200) + `","level":40}`, `{"` + strings.Repeat("k", 64) + `":"` + strings.Repeat(`\\`, 64) + `"}`, `{"a":"` + strings.Repeat(`\u2028`, 30) + `"}`,
	// and such as are none
	``, ` `, `{`, `}`, `[]`, `"{}"`, `1`, `null`, `{}}`, `{}{}`, `{} {}`, `{]`, `{"a":[}`, `{"a":[}]`, `{"a":[1}`, `{"a":[1,]}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{"a":,}`, `{"a" 1}`,
	`{a:1}`, `{'a':1}`, `{1:1}`, `{true:1}`, `{"a":1 "b":2}`, `{"a":1;}`, `{"a":01}`, `{"a":00}`, `{"a":1.}`, `{"a":.5}`, `{"a":+1}`, `{"a":-}`, `{"a":1e}`, `{"a":1e+}`, `{"a":0x1}`, `{"a":1_0}`, `{"a":-01}`, `{"a":--1}`,
	`{"a":tru}`, `{"a":truex}`, `{"a":nul`, `{"a":fals}`, `{"a":True}`, `{"a":NaN}`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\u12g4"}`, `{"a":"\u`, `{"a":"\`, `{"a":"`, `{"a":"b`, `{"a":"b"`, `{"a":"b\"}`, `{"a`, `{"a\`,
	"{\"a\":\"\n\"}", "{\"a\":\"\x00\"}", "{\"a\n\":1}", "\ufeff{}", "{\x00}", "\x00{}", "{}\x00", "{\"a\":\f1}", "{\"a\":\u00a01}", `{"a":1}x`, `{"a":1},`, `{"a":1}]`, `x{"a":1}`, `{"a":{"b":[1,2,{"c":3}]}`,
}

var allFields = []string{"default", "gcp", "datadog", "ecs"}

func FuzzObject(f *testing.F) {
	for _, line := range objects {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		for _, name := range allFields {
			checkObject(t, name, line)
		}
	})
}

func checkObject(t *testing.T, name string, line []byte) {
	t.Helper()
	f := FieldsOf(name).forObjects()
	want := json.Valid(line) && bytes.HasPrefix(bytes.TrimLeft(line, " \t\r\n"), []byte("{"))
	o, ok := scan(line, f.keys)
	if ok != want || validObject(line) != want {
		t.Fatalf("the verdict on %q is %v, want %v", line, ok, want)
	}
	want = want && utf8.Valid(line)
	for worker, stderr := range map[int]bool{-1: true, 3: false} {
		e := newEncoder(f, Source{Worker: worker, PID: 17, Stderr: stderr})
		out, ok := e.appendObject([]byte("before"), line, now)
		if ok != want || !ok && string(out) != "before" {
			t.Fatalf("%q becomes %q, %v", line, out, ok)
		}
		if ok {
			checkOutput(t, e, name, line, o, bytes.TrimPrefix(out, []byte("before")))
		}
	}
}

// checkOutput checks that out is line with what it lacks.
func checkOutput(t *testing.T, e *encoder, name string, line []byte, o object, out []byte) {
	t.Helper()
	trimmed := bytes.TrimRight(line, " \t\r\n")
	if end := len(trimmed) - 1; o.end != end || !bytes.HasPrefix(out, trimmed[:end]) || !bytes.HasSuffix(out, []byte("}\n")) {
		t.Fatalf("%q loses bytes in %q", line, out)
	}
	var before, after map[string]json.RawMessage
	if err := json.Unmarshal(line, &before); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &after); err != nil {
		t.Fatalf("%q becomes %q: %v", line, out, err)
	}
	added := lacking(before, name, e.source)
	for key, value := range after {
		if old, ok := before[key]; ok {
			if !bytes.Equal(old, value) {
				t.Errorf("%q: %s becomes %s", line, key, value)
			}
		} else if string(value) != added[key] {
			t.Errorf("%q: %s is %s, want %s", line, key, value, added[key])
		}
		delete(added, key)
	}
	if len(added) != 0 || len(out) > len(trimmed)+len("}\n")+200 {
		t.Errorf("%q lacks %v in %q", line, added, out)
	}
}

// lacking returns the members that an object has to gain.
func lacking(has map[string]json.RawMessage, name string, s Source) map[string]string {
	keys := map[string][2]string{"default": {"time", "level"}, "gcp": {"time", "severity"}, "datadog": {"timestamp", "status"}, "ecs": {"@timestamp", "log.level"}}[name]
	add := map[string]string{keys[0]: `"` + stamp + `"`, "pid": "17", "stream": `"stdout"`}
	l, numeric := 2, false
	if s.Stderr {
		l, add["stream"] = 4, `"stderr"`
	}
	if s.Worker >= 0 {
		add["worker"] = strconv.Itoa(s.Worker)
	}
	if own, ok := oracleLevel(has["level"]); ok {
		l, numeric = own, has["level"][0] != '"'
	}
	add[keys[1]] = strconv.Quote(spellings[name][l])
	if name == "default" && numeric {
		add["severity"] = strconv.Quote(strings.ToUpper(spellings[name][l]))
	}
	if has["severity"] != nil && name != "ecs" || has["log.level"] != nil && name == "default" {
		delete(add, keys[1])
	}
	if name == "ecs" {
		add["ecs.version"] = `"8.11.0"`
		if has["log"] != nil {
			delete(add, "log.level")
		}
		if has["ecs"] != nil {
			delete(add, "ecs.version")
		}
	}
	for key := range has {
		delete(add, key)
	}
	return add
}

var spellings = map[string][]string{
	"default": {"trace", "debug", "info", "warn", "error", "fatal"},
	"gcp":     {"DEBUG", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"},
	"datadog": {"debug", "debug", "info", "warn", "error", "critical"},
	"ecs":     {"trace", "debug", "info", "warn", "error", "fatal"},
}

// oracleLevel is ownLevel by other means.
func oracleLevel(value json.RawMessage) (int, bool) {
	var word string
	if len(value) == 0 {
		return 0, false
	}
	if json.Unmarshal(value, &word) == nil && value[0] == '"' {
		l, ok := map[string]int{
			"trace": 0, "silly": 0, "debug": 1, "verbose": 1, "info": 2, "information": 2, "log": 2, "http": 2, "notice": 2, "warn": 3, "warning": 3,
			"error": 4, "err": 4, "fatal": 5, "critical": 5, "crit": 5, "alert": 5, "emerg": 5, "emergency": 5, "panic": 5,
		}[strings.Map(func(r rune) rune {
			if r >= 'A' && r <= 'Z' {
				return r + 'a' - 'A'
			}
			return r
		}, word)]
		return l, ok
	}
	if c := value[0]; c != '-' && (c < '0' || c > '9') {
		return 0, false
	}
	n, _ := strconv.ParseFloat(string(value), 64)
	l := 0
	for _, least := range []float64{20, 30, 40, 50, 60} {
		if n >= least {
			l++
		}
	}
	return l, true
}

// Each word and each number is a level of its own, also with escapes.
func TestLevelsOfObjects(t *testing.T) {
	t.Parallel()
	values := []string{
		"trace", "silly", "debug", "verbose", "info", "information", "log", "http", "notice", "warn", "warning", "error", "err",
		"fatal", "critical", "crit", "alert", "emerg", "emergency", "panic", "", "x", "information!", `w\u0061rn`, `\u00e9rr`, `err\n`, `\u001b[32minfo`, "K",
	}
	for n := -20; n < 120; n++ {
		checkObject(t, "default", fmt.Appendf(nil, `{"level":%d}`, n))
		checkObject(t, "gcp", fmt.Appendf(nil, `{"level":%d.9}`, n))
	}
	for _, value := range values {
		for _, name := range allFields {
			checkObject(t, name, []byte(`{"level":"`+value+`"}`))
			checkObject(t, name, []byte(`{"level" : "`+strings.ToUpper(strings.ReplaceAll(value, `\u`, ""))+`" }`))
		}
	}
}

// Each object is cut off and changed at each byte.
func TestBrokenObjects(t *testing.T) {
	t.Parallel()
	for _, line := range objects {
		if len(line) > 100 {
			continue // others have all that it has
		}
		for i := range len(line) {
			checkObject(t, "default", []byte(line[:i]))
			for _, c := range []byte{0, ' ', '"', '\\', ',', ':', '}', ']', '{', '[', '0', '-', 'e', 'u', 0x80} {
				changed := []byte(line)
				changed[i] = c
				checkObject(t, "ecs", changed)
			}
		}
	}
}

// A line ends or has a quote at each place of a block of 64 bytes.
func TestBlocks(t *testing.T) {
	t.Parallel()
	for n := range 200 {
		x := strings.Repeat("x", n)
		for _, line := range []string{
			`{"` + x + `":"` + x + `","time":1}`, `{"a":"` + x + `\"` + x + `"}`, `{"a":"` + x, `{"a":"` + x + `\`, `{"a":"` + x + `\n`, strings.Repeat(" ", n) + `{"level":30}`,
			`{"a":` + strings.Repeat("1", n) + `}`, `{"a":"` + strings.Repeat(`\"`, n) + `"}`, "{\"a\":\"" + x + "\x1f\"}",
		} {
			checkObject(t, "default", []byte(line))
		}
	}
}

func TestDeepNesting(t *testing.T) {
	t.Parallel()
	for _, depth := range []int{2, 63, 64, 65, 66, 127, 128, 129, 130, 1000, maxDepth - 1, maxDepth, maxDepth + 1, maxDepth + 2, maxDepth + 64, 100_000} {
		for _, level := range [][2]string{{`{"a":`, `}`}, {`[`, `]`}} {
			inside := strings.Repeat(level[0], depth-1) + "1" + strings.Repeat(level[1], depth-1)
			checkObject(t, "default", []byte(`{"pid":`+inside+`,"time":1}`))
			checkObject(t, "default", []byte(`{"pid":`+inside+`}`+"}"))
			checkObject(t, "default", []byte(`{"pid":`+inside[:len(inside)-1]+`,"time":1}`))
		}
	}
	var mixed, end string
	for i := range 300 {
		if i%3 == 0 {
			mixed, end = mixed+"[", "]"+end
		} else {
			mixed, end = mixed+`{"time":`, "}"+end
		}
	}
	for i := range end {
		checkObject(t, "default", []byte(`{"a":`+mixed+"1"+end+"}"))
		checkObject(t, "default", []byte(`{"a":`+mixed+"1"+end[:i]+"]"+end[i+1:]+"}"))
	}
}

func TestLargeObject(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`"` + strings.Repeat("x", 1<<20) + `"`, `[` + strings.Repeat(`{"time":[1,"a"]},`, 1<<16) + `0]`, `"` + strings.Repeat(`\"`, 1<<19) + `"`} {
		checkObject(t, "default", []byte(`{"msg":`+value+`,"level":40}`))
	}
}

func TestObjectsNeedNoMemory(t *testing.T) {
	dst := make([]byte, 0, 1<<16)
	for _, name := range allFields {
		e := newEncoder(FieldsOf(name), Source{Worker: 1, PID: 17})
		lines := append(objects, `{"a":`+strings.Repeat("[", 70)+strings.Repeat("]", 70)+"}")
		at := now
		n := testing.AllocsPerRun(10, func() {
			for _, line := range lines {
				if !strings.Contains(line, "1e999") { // an error of strconv
					copied := dst[len(dst) : len(dst)+len(line)]
					copy(copied, line)
					at = at.Add(time.Millisecond)
					e.appendObject(dst[:1<<12], copied, at)
					e.appendText(dst[:1<<12], copied, at, false)
				}
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
