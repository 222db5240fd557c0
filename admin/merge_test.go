package admin

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
)

// mergedOf returns what comes of the answers of workers 0, 1 and so on; open says which are
// OpenMetrics.
func mergedOf(t testing.TB, openMetrics bool, open []bool, texts ...string) string {
	t.Helper()
	var parts []part
	for i, text := range texts {
		x, err := parseExposition([]byte(text), open[i])
		if err != nil {
			t.Fatalf("worker %d: %v", i, err)
		}
		parts = append(parts, part{string(rune('0' + i)), x})
	}
	return string(appendMerged(nil, parts, openMetrics))
}

var (
	bothText = []bool{false, false}
	bothOpen = []bool{true, true}
)

// As prom-client writes it: an empty line between families.
const promClient = `# HELP process_cpu_user_seconds_total Total user CPU time spent in seconds.
# TYPE process_cpu_user_seconds_total counter
process_cpu_user_seconds_total 0.02

# HELP nodejs_version_info Node.js version info.
# TYPE nodejs_version_info gauge
nodejs_version_info{version="v22.23.3",major="22"} 1

# HELP http_seconds Time
# TYPE http_seconds histogram
http_seconds_bucket{le="0.1",route="/"} 1
http_seconds_bucket{le="+Inf",route="/"} 2
http_seconds_sum{route="/"} 0.3
http_seconds_count{route="/"} 2
`

func TestMergeText(t *testing.T) {
	t.Parallel()
	const want = `# HELP process_cpu_user_seconds_total Total user CPU time spent in seconds.
# TYPE process_cpu_user_seconds_total counter
process_cpu_user_seconds_total{worker="0"} 0.02
process_cpu_user_seconds_total{worker="1"} 0.02
# HELP nodejs_version_info Node.js version info.
# TYPE nodejs_version_info gauge
nodejs_version_info{worker="0",version="v22.23.3",major="22"} 1
nodejs_version_info{worker="1",version="v22.23.3",major="22"} 1
# HELP http_seconds Time
# TYPE http_seconds histogram
http_seconds_bucket{worker="0",le="0.1",route="/"} 1
http_seconds_bucket{worker="0",le="+Inf",route="/"} 2
http_seconds_sum{worker="0",route="/"} 0.3
http_seconds_count{worker="0",route="/"} 2
http_seconds_bucket{worker="1",le="0.1",route="/"} 1
http_seconds_bucket{worker="1",le="+Inf",route="/"} 2
http_seconds_sum{worker="1",route="/"} 0.3
http_seconds_count{worker="1",route="/"} 2
`
	if got := mergedOf(t, false, bothText, promClient, promClient); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestMergeOneLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ line, want string }{
		"no labels":        {"a 1", `a{worker="0"} 1`},
		"empty labels":     {"a{} 1", `a{worker="0"} 1`},
		"spaces":           {"  a { b = \"c\" , } \t 1  2\r", `a{worker="0",b="c"} 1 2`},
		"a time":           {`a{b="c"} 1.5 1395066363000`, `a{worker="0",b="c"} 1.5 1395066363000`},
		"escapes":          {`a{b="\"}\\,\n#"} NaN`, `a{worker="0",b="\"}\\,\n#"} NaN`},
		"infinite":         {"a:b +Inf", `a:b{worker="0"} +Inf`},
		"an exponent":      {"a 1e-09", `a{worker="0"} 1e-09`},
		"a worker":         {`a{b="c",worker="x"} 1`, `a{worker="0",b="c",exported_worker="x"} 1`},
		"a worker twice":   {`a{exported_worker="y",worker="x"} 1`, `a{worker="0",exported_worker="y",exported_exported_worker="x"} 1`},
		"an exemplar":      {`a_bucket{le="1"} 2 # {id="}#"} 1`, `a_bucket{worker="0",le="1"} 2`},
		"other alphabets":  {`a{b="žluťoučký 🐎"} 1`, `a{worker="0",b="žluťoučký 🐎"} 1`},
		"one of nodeinit":  {"nodeinit_ready 1", ""},
		"a comment":        {"# anything", ""},
		"no metrics":       {"# no registered metrics\n", ""},
		"help alone":       {"# HELP a b\n# TYPE a gauge", ""},
		"a strange type":   {"# TYPE a thing\na 1", `a{worker="0"} 1`},
		"type and no help": {"# TYPE a gauge\na 1", "# TYPE a gauge\n" + `a{worker="0"} 1`},
	} {
		if got := strings.TrimSuffix(mergedOf(t, false, bothText, c.line), "\n"); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Families that come in pieces, in another order or from one worker only are brought
// together.
func TestMergeBringsFamiliesTogether(t *testing.T) {
	t.Parallel()
	first := "# TYPE s summary\ns_sum 1\nb 1\ns_count 2\n"
	second := "# HELP c only here\nc 1\nb{x=\"y\"} 2\n# TYPE s summary\ns{quantile=\"0.5\"} 3\n"
	const want = `# TYPE s summary
s_sum{worker="0"} 1
s_count{worker="0"} 2
s{worker="1",quantile="0.5"} 3
b{worker="0"} 1
b{worker="1",x="y"} 2
# HELP c only here
c{worker="1"} 1
`
	if got := mergedOf(t, false, bothText, first, second); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

const openMetricsText = `# TYPE requests counter
# HELP requests All \"of\" them
requests_total{code="200"} 3.0 1520879607.789 # {trace_id="abc"} 1.0 1520879607.5
requests_created{code="200"} 1520430000.123
# TYPE build info
build_info{version="1"} 1
# TYPE size_bytes gauge
# UNIT size_bytes bytes
size_bytes 5
# TYPE mode stateset
mode{mode="a"} 1
# TYPE g gaugehistogram
g_bucket{le="+Inf"} 1
g_gcount 1
# TYPE x unknown
x 1
# EOF
`

func TestMergeOpenMetrics(t *testing.T) {
	t.Parallel()
	const want = `# HELP requests All \"of\" them
# TYPE requests counter
requests_total{worker="0",code="200"} 3.0 1520879607.789 # {trace_id="abc"} 1.0 1520879607.5
requests_created{worker="0",code="200"} 1520430000.123
requests_total{worker="1",code="200"} 3.0 1520879607.789 # {trace_id="abc"} 1.0 1520879607.5
requests_created{worker="1",code="200"} 1520430000.123
`
	got := mergedOf(t, true, bothOpen, openMetricsText, openMetricsText)
	if !strings.HasPrefix(got, want) || !strings.Contains(got, "# TYPE build info\nbuild_info{worker=\"0\"") ||
		!strings.Contains(got, "# UNIT size_bytes bytes\n") || strings.Contains(got, "# EOF") {
		t.Errorf("got\n%s\nwant first\n%s", got, want)
	}
}

func TestMergeConvertsOpenMetrics(t *testing.T) {
	t.Parallel()
	const want = `# HELP requests_total All "of" them
# TYPE requests_total counter
requests_total{worker="0",code="200"} 3.0 1520879607789
requests_total{worker="1"} 9
# TYPE build_info gauge
build_info{worker="0",version="1"} 1
# TYPE size_bytes gauge
size_bytes{worker="0"} 5
# TYPE mode gauge
mode{worker="0",mode="a"} 1
# TYPE x untyped
x{worker="0"} 1
`
	if got := mergedOf(t, false, []bool{true, false}, openMetricsText, "# TYPE requests_total counter\nrequests_total 9\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// manyLabels are as many as a sample may have.
var manyLabels = func() (text string) {
	for i := range maxLabels {
		text += "l" + strconv.Itoa(i) + `="",`
	}
	return text
}()

// What a worker may write, and the merged text may not: a reader of that would refuse all
// of it, with nodeinit's own metrics.
func TestMergeMends(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, want string
		open       bool
	}{
		"an escape in a label":  {`a{b="\x\\\"\n"} 1` + "\n", `a{worker="0",b="\\x\\\"\n"} 1` + "\n", false},
		"an escape in HELP":     {`# HELP a \x \"\n\` + "\na 1\n", `# HELP a \\x "\n\\` + "\na{worker=\"0\"} 1\n", false},
		"the same, OpenMetrics": {`# HELP a \x \"\n\` + "\na 1\n# EOF\n", `# HELP a \\x \"\n\\` + "\na{worker=\"0\"} 1\n", true},
		"a type of OpenMetrics": {"# TYPE a unknown\na 1\n", "a{worker=\"0\"} 1\n", false},
		"one that it has not":   {"# TYPE a untyped\na 1\n# EOF\n", "a{worker=\"0\"} 1\n", true},
		"a unit not in a name":  {"# UNIT a seconds\na 1\n# EOF\n", "a{worker=\"0\"} 1\n", true},
		"a gauge's exemplar":    {"a 1 # {b=\"c\"} 1\n# EOF\n", "a{worker=\"0\"} 1\n", true},
		"spaces in an exemplar": {"a_total 1 #{ b = \"c\\x\" ,d=\"\"}1  5\n# EOF\n", "a_total{worker=\"0\"} 1 # {b=\"c\\\\x\",d=\"\"} 1 5\n", true},
	} {
		if got := mergedOf(t, c.open, []bool{c.open}, c.text); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestParseExpositionRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		open bool
		err  string
	}{
		"HTML":              {"<html>\n", false, "line 1 is no metric: \"<html>\""},
		"JSON":              {"a 1\n{\"a\":1}\n", false, "line 2 is no metric"},
		"no value":          {"a\n", false, "line 1"},
		"no space":          {"a1", false, "line 1"},
		"words":             {"it works\n", false, "line 1"},
		"three numbers":     {"a 1 2 3\n", false, "line 1"},
		"a hexadecimal":     {"a 0x1p3\n", false, "line 1"},
		"too large":         {"a 1e999\n", false, "line 1"},
		"an open brace":     {"a{b=\"c\" 1\n", false, "line 1"},
		"an open quote":     {"a{b=\"c} 1\n", false, "line 1"},
		"a quote escaped":   {"a{b=\"c\\\"} 1\n", false, "line 1"},
		"no quotes":         {"a{b=c} 1\n", false, "line 1"},
		"no comma":          {"a{b=\"c\" d=\"e\"} 1\n", false, "line 1"},
		"a bad label":       {"a{1=\"c\"} 1\n", false, "line 1"},
		"a bad name":        {"# TYPE a-b gauge\n", false, "line 1"},
		"a bad exemplar":    {"a 1 # b\n", false, "line 1"},
		"a label twice":     {"a{b=\"1\",b=\"2\"} 1\n", false, "line 1"},
		"the name as label": {"a{__name__=\"b\"} 1\n", false, "line 1"},
		"too many labels":   {"a{" + manyLabels + "z=\"\"} 1\n", false, "line 1"},
		"a time in seconds": {"a 1 1.5\n", false, "line 1"},
		"a time with plus":  {"a 1 +5\n", false, "line 1"},
		"a huge time":       {"a 1 9223372036854775808\n", false, "line 1"},
		"no time":           {"a 1 NaN\n# EOF\n", true, "line 1"},
		"an endless time":   {"a_total 1 # {} 1 Inf\n# EOF\n", true, "line 1"},
		"latin-1":           {"a{b=\"\xe9\"} 1\n", false, "not UTF-8"},
		"a bad counter":     {"# TYPE a counter\na 1\n# EOF\n", true, "line 2"},
		"no end":            {"a 1\n", true, "no # EOF"},
		"more than its end": {"a 1\n# EOF\nb 1\n", true, "line 3"},
		"too many families": {strings.Repeat("a 1\nb 1\n", maxGroups), false, "more than 16384 families"},
	} {
		if _, err := parseExposition([]byte(c.text), c.open); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
		}
	}
}

// FuzzMerge: what is taken for metrics becomes metrics, of which each sample has the label
// and each family stands in one place; the same again is taken too, and stays as it is but
// for another label.
func FuzzMerge(f *testing.F) {
	for _, text := range []string{promClient, openMetricsText, "a{worker=\"1\"} 1 2\n", "s_sum 1\n# TYPE s summary\nb 1\ns_sum 2\n"} {
		f.Add([]byte(text), false, false)
		f.Add([]byte(text), true, false)
		f.Add([]byte(text), true, true)
	}
	f.Fuzz(func(t *testing.T, text []byte, open, openMetrics bool) {
		openMetrics = openMetrics && open
		x, err := parseExposition(text, open)
		if err != nil {
			return
		}
		once := appendMerged(nil, []part{{"0", x}, {"1", x}}, openMetrics)
		again := once
		if openMetrics {
			again = append(bytes.Clone(once), "# EOF\n"...)
		}
		y, err := parseExposition(again, openMetrics)
		if err != nil {
			t.Fatalf("%q became %q: %v", text, once, err)
		}
		families := make(map[string]bool)
		for i := range y.groups {
			g := &y.groups[i]
			if families[string(g.name)] {
				t.Fatalf("%q became %q: %s stands in two places", text, once, g.name)
			}
			families[string(g.name)] = true
		}
		for line := range bytes.Lines(once) {
			if line[0] != '#' && !bytes.Contains(line, []byte(`{worker="0"`)) && !bytes.Contains(line, []byte(`{worker="1"`)) {
				t.Fatalf("%q became %q: no label in %q", text, once, line)
			}
		}
		twice := appendMerged(nil, []part{{"2", y}}, openMetrics)
		if a, b := bytes.Count(once, []byte("{worker=")), bytes.Count(twice, []byte("{worker=")); a != b {
			t.Fatalf("%d samples became %d: %q and %q", a, b, once, twice)
		}
	})
}
