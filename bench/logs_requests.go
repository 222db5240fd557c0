package main

import (
	"strconv"
	"time"

	"github.com/nodeinit/nodeinit/bench/server"
)

// logging names the figures of a server that logs each request.
const logging = "a line per request"

// quietLogs is the server that logs nothing, with which the others are compared.
const quietLogs = "nodeinit raw, no line"

// requestTools are what passes on the lines of a server, to a pipe.
func (p logPrograms) requestTools() []contender {
	logs := func(name, mode string, env ...string) contender {
		c := p.perCore(name, "--logs", mode, "--log-level", "off")
		c.env, c.piped = env, true
		return c
	}
	const line = "BENCH_LOG=1"
	all := []contender{logs(quietLogs, "raw"), logs(rawLogs, "raw", line), logs(linesLogs, "lines", line), logs(jsonLogs, "json", line)}
	if p.pm2Runtime != "" {
		all = append(all, contender{
			name: pm2JSON,
			argv: func(workers int) []string {
				return []string{p.node, p.pm2Runtime, "start", "bench/testdata/server.js", "-i", strconv.Itoa(workers), "--json"}
			},
			env:   []string{"PM2_DISABLE_VERSION_CHECK=true", line},
			piped: true,
		})
	}
	return all
}

// measureRequests shows what the logs cost a server that writes a line for each request.
func (s *logSuite) measureRequests() error {
	if s.load == 0 {
		return nil
	}
	var all []contender
	for _, c := range s.requestTools() {
		if s.only.MatchString(c.name) {
			all = append(all, c)
		}
	}
	f := make(figures)
	run := func(c contender, f figures) error {
		return c.with(2, func(g *group) error {
			return g.loaded(logging, load{clients: server.Clients}, bout{time.Second, s.load}, f)
		})
	}
	if err := (trial{name: logging, rounds: s.rounds, run: run}).play(all, f); err != nil {
		return err
	}
	f.print("a server that writes a line per request; keep-alive, "+strconv.Itoa(server.Clients)+" clients, 2 workers", all, []column{
		{head: "requests/s", figure: logging + rate},
		{head: "/ " + rawLogs, figure: logging + rate, base: rawLogs},
		{head: "p99 (ms)", figure: logging + p99},
		{head: "CPU outside workers (s per million)", figure: logging + outsideCPU},
		{head: "CPU in workers", figure: logging + workersCPU},
		{head: "/ " + rawLogs, figure: logging + workersCPU, base: rawLogs},
	})
	f.printErrors(all)
	return nil
}
