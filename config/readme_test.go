package config

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of flags into README.md")

// The table of flags in README.md is what --help says.
func TestReadme(t *testing.T) {
	t.Parallel()
	const file, begin, end = "../README.md", "<!-- flags: begin -->\n", "<!-- flags: end -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	table, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no lines %q and %q", file, begin, end)
	}
	want := markdown()
	if table == want {
		return
	}
	if !*update {
		t.Fatalf("the flags in %s are not those of --help: go generate ./config writes\n%s", file, want)
	}
	if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// markdown returns the flags as a table.
func markdown() string {
	var b strings.Builder
	b.WriteString("| flag | default | meaning |\n|---|---|---|\n")
	original := Default()
	for _, o := range options(&original) {
		var names []string
		for _, name := range strings.Split(o.usage(), ", ") {
			names = append(names, "`"+name+"`")
		}
		initial := o.initialText()
		switch v := o.value.Interface().(type) {
		case Toggle:
			initial = map[Toggle]string{true: "on", false: "off"}[v]
		case Duration:
			initial = strings.TrimSuffix(strings.Replace(initial, "m0s", "m", 1), "s")
			if strings.TrimRight(initial, "0123456789") == "" && initial != "0" {
				initial += "s"
			}
		}
		cells := strings.ReplaceAll(fmt.Sprintf("%s\x00%s\x00%s", strings.Join(names, ", "), initial, o.help), "|", `\|`)
		fmt.Fprintf(&b, "| %s |\n", strings.ReplaceAll(cells, "\x00", " | "))
	}
	b.WriteString("| `-h`, `--help`; `--version` | | |\n")
	return b.String()
}
