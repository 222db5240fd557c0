package apps

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// A shutdown is a row of docs/shutdown-libraries.md.
type shutdown struct {
	library string
	order   string // finish or drain
	status  int
}

func shutdowns(t *testing.T) (list []shutdown) {
	t.Helper()
	text, err := os.ReadFile("../../docs/shutdown-libraries.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 8 || strings.TrimSpace(cells[6]) != "0" {
			continue
		}
		status, err := strconv.Atoi(strings.TrimSpace(cells[5]))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, shutdown{strings.TrimSpace(cells[1]), strings.TrimSpace(cells[4]), status})
	}
	if len(list) < 16 {
		t.Fatalf("the table has %d rows", len(list))
	}
	return list
}

// shutdownLine is a Node that all libraries support.
const shutdownLine = "24.21.0"

// start starts an application with the library.
func (s shutdown) start(t *testing.T, flags string, workers int) *service {
	t.Helper()
	a := sample{name: "shutdown", argv: []string{"main.js", s.library}}
	c := harness.UnderInit(flags+" --grace 1h --ready-timeout 1h", append([]string{a.program(t, shutdownLine)}, a.argv...)...)
	c.Dir = a.directory(t)
	v := startService(t, harness.WithEnv(c, "TMPDIR="+harness.ShortDir(t)),
		"OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none",
		"NEW_RELIC_NO_CONFIG_FILE=true", "NEW_RELIC_APP_NAME=test", "NEW_RELIC_LICENSE_KEY="+strings.Repeat("0", 40),
		"NEW_RELIC_LOG_ENABLED=false", "DD_TRACE_STARTUP_LOGS=false")
	harness.WaitUntil(t, "all to be up", func() bool {
		if unix.Kill(v.PID, 0) != nil {
			t.Fatalf("ended; stdout:\n%s\nstderr:\n%s", v.Output(), v.Errors())
		}
		return strings.Count(v.Output(), "up\n") >= workers
	})
	return v
}

var pidAnswer = regexp.MustCompile(`\bpid \d+\b`)

// ask asks for an answer that takes so many milliseconds on a connection of its
// own, or one that is kept, and has it checked.
func (v *service) ask(client *http.Client, took int) error {
	response, err := client.Get(fmt.Sprintf("%s%d", v.url(), took))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && !pidAnswer.Match(body) {
		err = fmt.Errorf("the answer is %q", body)
	}
	return err
}

// asksSlowly has four requests in hand, and returns their errors when they are
// answered.
func (v *service) asksSlowly() <-chan error {
	v.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: testproc.HangLimit}
	const slow, requests = 700, 4
	asked := func() int { return strings.Count(v.Output(), fmt.Sprintf("asked /%d\n", slow)) }
	before := asked()
	answers := make(chan error, requests)
	for range requests {
		go func() { answers <- v.ask(client, slow) }()
	}
	harness.WaitUntil(v.t, "requests in hand", func() bool { return asked() >= before+requests })
	return answers
}

// hears checks that all of asksSlowly are answered.
func (v *service) hears(answers <-chan error) {
	v.t.Helper()
	for range cap(answers) {
		if err := <-answers; err != nil {
			v.t.Errorf("lost: %v", err)
		}
	}
}

// ends checks how a stop ended, and in which order it went.
func (v *service) ends(s shutdown) {
	v.t.Helper()
	v.WaitCode(s.status)
	finishing, draining := false, false
	for _, l := range harness.OwnLines(v.t, v.Output()) {
		finishing = finishing || strings.HasSuffix(l.Msg, " finishing")
		draining = draining || strings.HasSuffix(l.Msg, " draining") || l.Msg == "draining the program"
		if l.Level == "error" || strings.HasPrefix(l.Msg, "killing") {
			v.t.Errorf("logged %v", l.Facts)
		}
	}
	if finishing != (s.order == "finish") || draining != (s.order == "drain") {
		v.t.Errorf("finishing %v, draining %v, want %s; logged\n%s", finishing, draining, s.order, v.Output())
	}
}

// Whichever library sees to the end of the process, no request is lost when it
// ends: neither at a stop nor at a reload, under load.
func TestShutdownLibraries(t *testing.T) {
	t.Parallel()
	for _, s := range shutdowns(t) {
		t.Run(s.library+" one process", func(t *testing.T) {
			t.Parallel()
			v := s.start(t, "--mode fork", 1)
			answers := v.asksSlowly()
			v.Signal(unix.SIGTERM)
			v.hears(answers)
			v.ends(s)
		})
		t.Run(s.library+" workers", func(t *testing.T) {
			t.Parallel()
			v := s.start(t, "--mode per-core --workers 2 --reload-signal HUP", 2)
			answers, stopLoad := v.asksSlowly(), v.load()
			v.Signal(unix.SIGHUP)
			v.hears(answers)
			harness.WaitUntil(t, "the reload to be done", func() bool { return strings.Contains(v.Output(), `"msg":"reload done","workers":2`) })
			stopLoad()
			for _, l := range harness.OwnLines(t, v.Output()) {
				if l.Msg == "worker leaving" && l.Facts["order"] != "drain" {
					t.Errorf("logged %v", l.Facts)
				}
			}
			answers = v.asksSlowly()
			v.Signal(unix.SIGTERM)
			v.hears(answers)
			v.ends(s)
		})
	}
}

// load asks all the time, each time on a new connection, until the function that
// it returns is called.
func (v *service) load() (stop func()) {
	var over atomic.Bool
	done := make(chan error, 1)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: testproc.HangLimit}
	go func() {
		for !over.Load() {
			if err := v.ask(client, 20); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	return func() {
		v.t.Helper()
		over.Store(true)
		if err := <-done; err != nil {
			v.t.Errorf("lost under load: %v", err)
		}
	}
}
