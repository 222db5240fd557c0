package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/plan"
)

func explained(t *testing.T, environ []string, args ...string) string {
	t.Helper()
	code, stdout, stderr := runApp(environ, append([]string{"explain"}, args...)...)
	if code != 0 || stderr != "" {
		t.Fatalf("explain %q: %d, %s", args, code, stderr)
	}
	return stdout
}

// Without --root it is this machine, of which only the form is known.
func TestExplainThisMachine(t *testing.T) {
	t.Parallel()
	var e plan.Explanation
	if err := json.Unmarshal([]byte(explained(t, nil, "--json", "--memory", "512M", "--", "node")), &e); err != nil {
		t.Fatal(err)
	}
	if e.Affinity < 1 || e.Workers < 1 || e.MemoryFrom == nil || *e.MemoryFrom != "--memory" || len(e.EnvAdded) != 1 || !strings.HasPrefix(e.EnvAdded[0], "NODE_OPTIONS=--max-old-space-size=") {
		t.Errorf("got %+v", e)
	}
}

// An output that is full or closed is an error of its own.
func TestExplainToNobody(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"explain"}, {"explain", "--json"}} {
		var errs strings.Builder
		a := app{stdout: full, stderr: &errs}
		if code := a.run(args); code != 125 || errs.String() != "nodeinit: explain: write /dev/full: no space left on device\n" {
			t.Errorf("%q: %d, %q", args, code, errs.String())
		}
	}
}
