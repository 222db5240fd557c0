package test

import (
	"slices"
	"strings"
	"testing"
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
func TestAppsOnBunAndDeno(t *testing.T) {
	t.Parallel()
	balances := map[string][]string{"bun": {"rr", "shared", "reuseport", "ip-hash"}, "deno": {"rr", "ip-hash"}}
	for _, s := range bunAndDeno() {
		for _, balance := range balances[s.name] {
			t.Run(s.name+" "+balance, func(t *testing.T) {
				t.Parallel()
				v := s.serve(t, primary{balance: balance}, "")
				workers := v.listening()
				untilAllAnswer(t, workers, func() (string, error) { return get(v.url()) })
				v.checkProcesses(workers, 0)
				v.checkStop(s)
				lines := ownLines(t, v.Output())
				if lines[0].Msg != notAll || s.name == "deno" && lines[1].Facts["balance"] != "rr" {
					t.Errorf("began with %v, %v", lines[0].Facts, lines[1].Facts)
				}
			})
		}
	}
}

// Nobody gets workers of either who has not asked for them: not all works.
func TestAppsOnBunAndDenoAreOneProcess(t *testing.T) {
	t.Parallel()
	for _, s := range bunAndDeno() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			argv := append([]string{s.program(t, "")}, s.argv...)
			c := underInit("--cpus 2 --memory 1G", argv...)
			c.Dir = s.directory(t)
			v := startService(t, c)
			waitUntil(t, "an answer", func() bool {
				v.listening() // fails if it has ended
				_, err := get(v.url())
				return err == nil
			})
			lines := ownLines(t, v.Output())
			start := lines[0].Facts
			if reason, _ := start["reason"].(string); start["mode"] != "fork" || !strings.Contains(reason, s.name) {
				t.Errorf("mode %v, reason %q; want fork, because of %s", start["mode"], reason, s.name)
			}
			if want := []string{"starting", "program started"}; !slices.Equal(messages(lines), want) {
				t.Errorf("logged %q, want %q", messages(lines), want)
			}
			v.checkStop(s)
		})
	}
}

// Their own servers bind by themselves and tell the primary nothing. They serve
// and stop all the same.
func TestAppsOnBunAndDenoWithServersOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, s := range []sample{
		{name: "bun", runtime: bun, argv: []string{"serve.js"}, status: byItself},
		{name: "deno", runtime: deno, argv: []string{"run", "-A", "--unstable-net", "serve.js"}, status: byItself},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			v := startService(t, s.command(t, primary{balance: "rr"}, ""))
			workers := make(map[int]int)
			waitUntil(t, "two workers to serve", func() bool {
				v.listening()                                // fails if it has ended
				if answer, err := get(v.url()); err == nil { // else nobody listens yet
					pid := pidIn(t, answer)
					workers[pid] = pid
				}
				return len(workers) == 2
			})
			v.checkProcesses(workers, 0)
			v.checkStop(s)
		})
	}
}
