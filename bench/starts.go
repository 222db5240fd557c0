package main

import (
	"path/filepath"
	"slices"
	"strings"
)

// Names of the contenders of the suite init. If an earlier nodeinit is measured, each
// of nodeinit's is there twice, once with a name that ends in before.
const (
	ourInit  = "nodeinit"
	tiniInit = "tini"
	noInit   = "no init"

	ourTrue  = "nodeinit -- true"
	tiniTrue = "tini -- true"

	// behind the name of a Node
	emptyImport = ", empty --import"
	forkBare    = ", fork mode, no agent"
	forkMode    = ", fork mode"

	serverAlone    = "server"
	serverTini     = "server, tini"
	serverFork     = "server, fork mode"
	serverTwo      = "server, two workers"
	serverOneFirst = "server, two workers, one first"
)

// nodeName is the name of a version of Node alone: "node 24".
func nodeName(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return "node " + major
}

// ours is nodeinit with these arguments, and the earlier one.
func (p programs) ours(name string, args ...string) []contender {
	all := []contender{fixed(name, append([]string{p.nodeinit}, args...)...)}
	if p.earlier != "" {
		all = append(all, fixed(name+before, append([]string{p.earlier}, args...)...))
	}
	return all
}

// inits are the words in front of a program. nodeinit's log leaves stdout to the
// program.
func (p programs) inits() []contender {
	return append(p.ours(ourInit, "--log-to", "stderr", "--"),
		fixed(tiniInit, "tini", "--"),
		fixed("dumb-init", "dumb-init", "--"),
		fixed("catatonit", "catatonit", "--"),
		fixed(noInit))
}

// commands end at once.
func (p programs) commands() []contender {
	return slices.Concat(
		[]contender{
			fixed("/bin/true", "/bin/true"),
			fixed(tiniTrue, "tini", "--", "true"),
			fixed("bare Go", p.bare, "0"),
			fixed("bare Go, 3 signals", p.bare, "3"),
			fixed("bare Go, 56 signals", p.bare, "56"),
		},
		p.ours("nodeinit version", "version"),
		p.ours(ourTrue, "--", "true"))
}

// scripts run an empty script on a version of Node.
func (p programs) scripts(version string) []contender {
	const script = "bench/testdata/empty.js"
	name, node := nodeName(version), filepath.Join(p.nodes, version, "bin/node")
	all := slices.Concat(
		[]contender{
			fixed(name, node, script),
			fixed(name+emptyImport, node, "--import=data:text/javascript,", script),
		},
		p.ours(name+forkBare, "--mode", "fork", "--no-agent", "--", node, script),
		p.ours(name+forkMode, "--mode", "fork", "--", node, script))
	for i := range all {
		// Node's images set it, and nodeinit need not look for it elsewhere.
		all[i].env = []string{"NODE_VERSION=" + version}
	}
	return all
}

// servers run server.js. Of two workers both start at once, or the second one
// when the first listens.
func (p programs) servers() []contender {
	ours := p.ourServers()
	return append([]contender{
		fixed(serverAlone, p.node, "bench/testdata/server.js"),
		fixed(serverTini, "tini", "--", p.node, "bench/testdata/server.js"),
	}, ours...)
}

// ourServers are those of them that run under nodeinit.
func (p programs) ourServers() []contender {
	server := []string{"--", p.node, "bench/testdata/server.js"}
	all := p.ours(serverFork, append([]string{"--mode", "fork"}, server...)...)
	for _, two := range []struct{ name, mode string }{{serverTwo, "per-core"}, {serverOneFirst, "auto"}} {
		for _, c := range p.ours(two.name, append([]string{"--mode", two.mode, "--workers", "2"}, server...)...) {
			c.single = false
			all = append(all, c)
		}
	}
	return all
}
