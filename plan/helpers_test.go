package plan

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/config"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/node"
)

// parsed returns the configuration that environ and args make.
func parsed(t *testing.T, environ, args []string) config.Config {
	t.Helper()
	c, err := config.FromEnviron(environ)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Parse(args, nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// version is nodeinit's in these tests.
const version = "0.0.0"

// A user has set something, and wants a program to run.
type user struct {
	config  config.Config
	environ []string
	outputs Outputs
}

// plan returns the plan for argv.
func (u user) plan(l cgroup.Limits, argv []string) (Plan, error) {
	return New(u.config, l, u.outputs, identified(argv, u.environ))
}

// identified returns the program that argv is here.
func identified(argv, environ []string) node.Program {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return node.Identify(argv, environ, dir)
}

// machine makes the /proc and /sys of a case that package cgroup is tested
// with, with 4 CPUs and 4 GiB of memory, and returns their root.
func machine(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../cgroup/testdata/cases.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"proc/meminfo":     "MemTotal:        4194304 kB\n",
		"proc/self/status": "Name:\tnodeinit\nCpus_allowed_list:\t0-3\n",
	}
	found := false
	for _, part := range strings.Split(string(text), "\n-- ")[1:] {
		header, body, _ := strings.Cut(part+"\n", " --\n")
		if file, ok := strings.CutPrefix(header, name+"/"); ok {
			files[file] = body
			found = true
		}
	}
	if !found {
		t.Fatalf("no case %q", name)
	}
	root := t.TempDir()
	for file, body := range files {
		path := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// explained returns what nodeinit explain prints for args, which begin with --root
// DIR, in an environment.
func explained(t *testing.T, environ []string, args ...string) string {
	t.Helper()
	c, err := config.FromEnviron(environ)
	if err != nil {
		t.Fatal(err)
	}
	var asJSON *bool
	var root *string
	argv, _, err := c.Parse(args, func(set *pflag.FlagSet) {
		asJSON, root = set.Bool("json", false, ""), set.String("root", "", "")
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(c, NewSource(cgroup.Find(os.DirFS(*root)), c).Read(), Outputs{Pipe, Pipe}, identified(argv, environ))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	write := p.WriteText
	if *asJSON {
		write = p.WriteJSON
	}
	if err := write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// lines splits what was printed into lines.
func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// logged returns what write logs, without time and logger.
func logged(write func(*logs.Logger)) string {
	var out bytes.Buffer
	write(logs.New(&out, logs.JSON, logs.LevelDebug, nil))
	var all []string
	for _, line := range lines(out.String()) {
		_, after, _ := strings.Cut(line, ",")
		all = append(all, strings.Replace(after, `,"logger":"nodeinit"`, "", 1))
	}
	return strings.Join(all, "\n")
}
