package cgroup

import (
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// TestCases reads the directories of cases.txtar, written independently of this code,
// and of more.txtar, written with it.
func TestCases(t *testing.T) {
	for _, c := range append(readCases(t, "testdata/cases.txtar"), readCases(t, "testdata/more.txtar")...) {
		t.Run(c.name, func(t *testing.T) {
			l := Find(c.root).Limits(c.number(t, "affinity"))
			c.checkLimits(t, l)
			c.checkSources(t, l)
			c.checkApproximate(t, l)
			c.checkWarnings(t, l)
		})
	}
}

// approximate are the cases of cases.txtar without the word that should have it.
var approximate = map[string]bool{
	"v2-leaf-removed": true,
}

// warned are the cases of cases.txtar with their numbers of warnings.
var warned = map[string]int{
	"v2-leaf-removed":                           1,
	"v2-moved-out-of-namespace":                 1,
	"v2-mount-root-above-namespace":             1,
	"v2-zero-period":                            1,
	"v1-quota-zero":                             1,
	"v1-cpu-mount-covers-memory-mount-does-not": 1,
	"none-no-proc-cgroup":                       1,
}

func (c testCase) checkLimits(t *testing.T, l Limits) {
	if want := c.limit(t, "cpu"); math.Abs(l.CPU-want) > 1e-9 {
		t.Errorf("CPU = %v, want %v", l.CPU, want)
	}
	if want := int64(c.limit(t, "mem")); l.Memory != want {
		t.Errorf("Memory = %d, want %d", l.Memory, want)
	}
	if want := int64(c.limit(t, "memhigh")); l.MemoryHigh != want {
		t.Errorf("MemoryHigh = %d, want %d", l.MemoryHigh, want)
	}
	if want := c.number(t, "workers"); l.CPUWorkers() != want {
		t.Errorf("CPUWorkers = %d, want %d", l.CPUWorkers(), want)
	}
	if n, arithmetic := l.Workers(); c.want["total"] != "" && n != c.number(t, "total") {
		t.Errorf("Workers = %d (%s), want %s", n, arithmetic, c.want["total"])
	}
	if c.want["memtotal"] != "" && l.MemTotal != int64(c.limit(t, "memtotal")) {
		t.Errorf("MemTotal = %d, want %s", l.MemTotal, c.want["memtotal"])
	}
	if c.want["cpus"] != "" && l.Affinity != c.number(t, "cpus") {
		t.Errorf("Affinity = %d, want %s", l.Affinity, c.want["cpus"])
	}
}

func (c testCase) checkSources(t *testing.T, l Limits) {
	for key, got := range map[string]string{
		"cpufrom": l.CPUFrom,
		"memfrom": l.MemoryFrom,
		"cpuver":  strconv.Itoa(l.CPUVersion),
		"memver":  strconv.Itoa(l.MemoryVersion),
	} {
		if want := c.want[key]; want != "" && got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	checkInvariants(t, l)
}

func (c testCase) checkApproximate(t *testing.T, l Limits) {
	if want := c.want["approx"] == "true" || approximate[c.name]; l.Approximate != want {
		t.Errorf("Approximate = %v, want %v", l.Approximate, want)
	}
}

func (c testCase) checkWarnings(t *testing.T, l Limits) {
	want := warned[c.name]
	if c.want["warnings"] != "" {
		want = c.number(t, "warnings")
	}
	if len(l.Warnings) != want {
		t.Errorf("%d warnings, want %d:\n%s", len(l.Warnings), want, strings.Join(l.Warnings, "\n"))
	}
}

// checkInvariants checks what is true on any machine.
func checkInvariants(t *testing.T, l Limits) {
	t.Helper()
	if l.CPU < 0 || math.IsInf(l.CPU, 0) || math.IsNaN(l.CPU) {
		t.Errorf("CPU = %v", l.CPU)
	}
	if l.Memory < 0 || l.MemoryHigh < 0 || l.MemTotal < 0 || l.Affinity < 1 {
		t.Errorf("below the least: %+v", l)
	}
	if (l.CPU == 0) != (l.CPUFrom == "") || (l.Memory == 0) != (l.MemoryFrom == "") {
		t.Errorf("a limit without a file or the other way round: %+v", l)
	}
	n, arithmetic := l.Workers()
	if cpu := l.CPUWorkers(); n < 1 || n > cpu || cpu > l.Affinity {
		t.Errorf("%d workers, %d for the CPUs alone (%s)", n, cpu, arithmetic)
	}
	for _, line := range append(l.Warnings, arithmetic) {
		if line == "" || strings.ContainsAny(line, "\n\r") {
			t.Errorf("not one line: %q", line)
		}
	}
}

// A testCase is one machine, and the result to expect.
type testCase struct {
	name string
	root fstest.MapFS
	want map[string]string
}

// number returns a value of want, which must be set.
func (c testCase) number(t *testing.T, key string) int {
	t.Helper()
	n, err := strconv.Atoi(c.want[key])
	if err != nil {
		t.Fatalf("%s/want: %s: %v", c.name, key, err)
	}
	return n
}

// limit returns a value of want, 0 for inf or none.
func (c testCase) limit(t *testing.T, key string) float64 {
	t.Helper()
	if value := c.want[key]; value == "" || value == "inf" {
		return 0
	}
	limit, err := strconv.ParseFloat(c.want[key], 64)
	if err != nil {
		t.Fatalf("%s/want: %s: %v", c.name, key, err)
	}
	return limit
}

func readCases(t *testing.T, file string) []testCase {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []testCase
	// Each part begins after "-- " with the rest of a line "-- NAME --".
	for _, part := range strings.Split("\n"+string(text), "\n-- ")[1:] {
		header, body, _ := strings.Cut(part+"\n", " --\n")
		name, file, _ := strings.Cut(header, "/")
		if len(cases) == 0 || cases[len(cases)-1].name != name {
			cases = append(cases, newCase(name))
		}
		c := cases[len(cases)-1]
		if file == "want" {
			parseWant(c.want, body)
		} else {
			c.root[file] = &fstest.MapFile{Data: []byte(body)}
		}
	}
	return cases
}

func newCase(name string) testCase {
	root := fstest.MapFS{"proc/meminfo": {Data: []byte("MemTotal: 1073741824 kB\n")}}
	return testCase{name: name, root: root, want: map[string]string{}}
}

func parseWant(want map[string]string, text string) {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			want[key] = value
		}
	}
}
