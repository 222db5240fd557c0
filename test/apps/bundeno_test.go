package apps

import (
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

const (
	bun  = "node_modules/@oven/bun-linux-*/bin/bun"
	deno = "node_modules/@deno/linux-*/deno"
)

// notAll is what nodeinit warns of.
const notAll = "not all works as workers"

// bunAndDeno are servers of node:http on each.
func bunAndDeno() []sample {
	return []sample{
		{name: "bun", runtime: bun, argv: []string{"node.js"}, status: byItself},
		{name: "deno", runtime: deno, argv: []string{"run", "-A", "node.mjs"}, status: byItself},
	}
}

// Bun and Deno speak enough of the protocol for servers of node:http: Bun with
// each balance, but it is the kernel that chooses the worker; Deno with rr, which
// it gets whatever is asked for.
func TestBunAndDeno(t *testing.T) {
	t.Parallel()
	balances := map[string][]string{"bun": {"rr", "shared", "reuseport", "ip-hash"}, "deno": {"rr", "ip-hash"}}
	for _, s := range bunAndDeno() {
		for _, balance := range balances[s.name] {
			t.Run(s.name+" "+balance, func(t *testing.T) {
				t.Parallel()
				v := s.serve(t, harness.Primary{Balance: balance}, "")
				workers := v.listening()
				harness.UntilAllAnswer(t, workers, func() (string, error) { return harness.Get(v.url()) })
				v.checkProcesses(workers, 0)
				v.checkStop(s)
				lines := harness.OwnLines(t, v.Output())
				if lines[0].Msg != notAll || s.name == "deno" && lines[1].Facts["balance"] != "rr" {
					t.Errorf("began with %v, %v", lines[0].Facts, lines[1].Facts)
				}
			})
		}
	}
}

// Neither gets workers without --mode per-core: not all works.
func TestBunAndDenoAreOneProcess(t *testing.T) {
	t.Parallel()
	for _, s := range bunAndDeno() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			argv := append([]string{s.program(t, "")}, s.argv...)
			c := harness.UnderInit("--cpus 2 --memory 1G", argv...)
			c.Dir = s.directory(t)
			v := startService(t, c)
			harness.WaitUntil(t, "an answer", func() bool {
				v.listening() // fails if it has ended
				_, err := harness.Get(v.url())
				return err == nil
			})
			lines := harness.OwnLines(t, v.Output())
			start := lines[0].Facts
			if reason, _ := start["reason"].(string); start["mode"] != "fork" || !strings.Contains(reason, s.name) {
				t.Errorf("mode %v, reason %q; want fork, because of %s", start["mode"], reason, s.name)
			}
			if want := []string{"starting", "program started"}; !slices.Equal(harness.Messages(lines), want) {
				t.Errorf("logged %q, want %q", harness.Messages(lines), want)
			}
			v.checkStop(s)
		})
	}
}

// Their own servers bind by themselves and tell the primary nothing. They serve
// and stop all the same.
func TestBunAndDenoWithServersOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, s := range []sample{
		{name: "bun", runtime: bun, argv: []string{"serve.js"}, status: byItself},
		{name: "deno", runtime: deno, argv: []string{"run", "-A", "--unstable-net", "serve.js"}, status: byItself},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			v := startService(t, s.command(t, harness.Primary{Balance: "rr"}, ""))
			workers := make(map[int]int)
			harness.WaitUntil(t, "two workers to serve", func() bool {
				v.listening()                                        // fails if it has ended
				if answer, err := harness.Get(v.url()); err == nil { // else nothing listens yet
					pid := harness.PIDIn(t, answer)
					workers[pid] = pid
				}
				return len(workers) == 2
			})
			v.checkProcesses(workers, 0)
			v.checkStop(s)
		})
	}
}
