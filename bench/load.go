package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/nodeinit/nodeinit/bench/server"
)

// A load is a run of wrk.
type load struct {
	clients    int
	perRequest bool // a new connection for each request
	addrs      []string
	port       int // 0: server.Port
}

// A yield is what a run of wrk gives.
type yield struct {
	Requests float64
	Us       float64 // how long it took
	P99      float64 `json:"p99_us"` // from a request's first byte to its answer's last, new connections already open
	Errors   float64 // connections and answers that failed

	used time.Duration // CPU time of wrk itself
}

func (y yield) perSecond() float64 { return y.Requests / y.Us * 1e6 }

// run loads the server for a while with one thread of wrk, or with one for each
// of the addresses.
func (l load) run(d time.Duration) (y yield, err error) {
	argv := []string{
		"--threads", strconv.Itoa(max(1, len(l.addrs))), "--connections", strconv.Itoa(l.clients),
		"--duration", strconv.Itoa(int(d.Seconds())) + "s", "--timeout", "10s",
		"--latency", "--script", "bench/testdata/wrk.lua",
	}
	if l.perRequest {
		argv = append(argv, "--header", "Connection: close") // wrk reconnects when the answer says the same
	}
	cmd := exec.Command("wrk", append(argv, fmt.Sprintf("http://127.0.0.1:%d/", cmp.Or(l.port, server.Port)))...)
	cmd.Env = append(os.Environ(), "BENCH_ADDRS="+strings.Join(l.addrs, " "))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return yield{}, fmt.Errorf("wrk: %w", err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &y); err != nil {
		return yield{}, fmt.Errorf("wrk: %w in %q", err, out)
	}
	if y.Requests == 0 {
		return yield{}, fmt.Errorf("wrk: no request was answered: %q", out)
	}
	y.used = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return y, nil
}
