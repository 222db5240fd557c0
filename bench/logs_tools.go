package main

import "strconv"

// Names of the tools that pass on logs. nodeinit's end with its --logs.
const (
	noTool     = "nothing"
	catTool    = "cat"
	prettyTool = "pino-pretty"
	pm2Logs    = "pm2-runtime"
	pm2JSON    = "pm2-runtime --json"
	rawLogs    = "nodeinit raw"
	linesLogs  = "nodeinit lines"
	jsonLogs   = "nodeinit json"
)

// logTools are what passes on the lines of the kind.
func (p logPrograms) logTools(kind string) []logTool {
	s6 := p.filter("s6-log T", "s6-log", "T", "1") // with an ISO time
	s6.share = 4
	all := []logTool{
		p.filter(noTool),
		p.filter(catTool, "cat"),
		s6,
		p.files("multilog t", "multilog", "t", "s16777215", "n3", "./multilog"),
		p.files("svlogd -ttt", "sh", "-c", `mkdir svlogd && exec svlogd -ttt svlogd`),
		p.nodeinitLogs(rawLogs, "raw"),
		p.nodeinitLogs(linesLogs, "lines"),
		p.nodeinitLogs(jsonLogs, "json"),
	}
	if p.earlier != "" {
		q := p
		q.nodeinit = p.earlier
		for _, mode := range []string{"raw", "lines", "json"} {
			all = append(all, q.nodeinitLogs("nodeinit "+mode+before, mode))
		}
	}
	if p.pm2Runtime != "" {
		all = append(all, p.pm2Tool(pm2Logs), p.pm2Tool(pm2JSON, "--json"))
	}
	if p.pretty != "" && kind == "pino" {
		pretty := p.filter(prettyTool, p.node, p.pretty)
		pretty.share = 32
		all = append(all, pretty)
	}
	return all
}

// filter is a program that all writers write to.
func (p logPrograms) filter(name string, argv ...string) logTool {
	return logTool{contender: fixed(name, argv...), filter: true}
}

// files is one that writes files.
func (p logPrograms) files(name string, argv ...string) logTool {
	return logTool{contender: fixed(name, argv...), filter: true, files: true, share: 8}
}

// nodeinitLogs is nodeinit without lines of its own.
func (p logPrograms) nodeinitLogs(name, mode string) logTool {
	return logTool{contender: contender{name: name, argv: func(workers int) []string {
		return []string{
			p.nodeinit, "--mode", "per-core", "--workers", strconv.Itoa(workers), "--logs", mode, "--log-level", "off",
			"--", p.node, "bench/testdata/logs.js",
		}
	}}}
}

// pm2Tool is pm2-runtime. It passes on what workers write by process.stdout.
func (p logPrograms) pm2Tool(name string, flags ...string) logTool {
	return logTool{
		contender: contender{
			name: name,
			argv: func(workers int) []string {
				argv := []string{p.node, p.pm2Runtime, "start", "bench/testdata/logs.js", "-i", strconv.Itoa(workers)}
				return append(argv, flags...)
			},
			env: []string{"PM2_DISABLE_VERSION_CHECK=true"},
		},
		stdout: true,
		share:  32,
	}
}
