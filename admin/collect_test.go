package admin

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/supervisor"
)

// workersOf returns a Collector for workers that these handlers are, and what it logs.
func workersOf(t *testing.T, handlers ...http.HandlerFunc) (*Collector, []supervisor.WorkerStatus, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	var workers []supervisor.WorkerStatus
	askers := make([]*Asker, len(handlers))
	for slot, handler := range handlers {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		askers[slot] = askerOf(t, server.URL)
		workers = append(workers, supervisor.WorkerStatus{
			Slot: slot, PID: 100 + slot, State: "ready", Serves: true, Current: true, ReadySince: time.Now(),
		})
	}
	c := &Collector{
		Timeout: testproc.HangLimit, Route: Route{0, "/metrics"}, Log: logs.New(&log, logs.JSON, logs.LevelInfo, nil),
		Asker: &Asker{Shared: new(Shared), Connect: func(w supervisor.WorkerStatus, port int) (int, error) { return askers[w.Slot].Connect(w, port) }},
	}
	return c, workers, &log
}

func says(kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, text)
	}
}

// All workers that have been ready are asked, those that answer nonsense are left out.
func TestCollect(t *testing.T) {
	t.Parallel()
	failing := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) }
	endless := func(w http.ResponseWriter, _ *http.Request) {
		for err := error(nil); err == nil; {
			_, err = io.WriteString(w, strings.Repeat("a 1\n", 1000))
		}
	}
	c, workers, log := workersOf(t, says("text/plain", "a 1\n"), failing, says("text/html", "<html>"), endless, says("", "a 2\n"), neverSays)
	workers[5].ReadySince = time.Time{}
	for range 2 {
		all := c.collect(t.Context(), workers, 0, false)
		if got := string(appendMerged(nil, all.parts, all.open)); got != "a{worker=\"0\"} 1\na{worker=\"4\"} 2\n" || all.open {
			t.Errorf("got %q, %v", got, all.open)
		}
	}
	for i, want := range []appFailures{
		{0, 0, ""}, {1, 2, `status "500 Internal Server Error"`}, {2, 2, `line 1 is no metric: "<html>"`},
		{3, 2, "body is longer than 4 MiB"}, {4, 0, ""},
	} {
		if *c.failures[i] != want {
			t.Errorf("%+v, want %+v", *c.failures[i], want)
		}
	}
	if lines := strings.Count(log.String(), "no metrics from the application"); len(c.failures) != 5 || lines != 3 {
		t.Errorf("%d lines for %d slots:\n%s", lines, len(c.failures), log)
	}
}

// neverSays answers nothing.
func neverSays(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// A worker that does not answer is left out when the time is over.
func TestCollectEndsInTime(t *testing.T) {
	t.Parallel()
	c, workers, log := workersOf(t, neverSays, neverSays)
	for range 2 {
		c.collect(t.Context(), workers, 200*time.Millisecond, false)
	}
	if f := c.failures; len(f) != 2 || *f[0] != (appFailures{0, 2, "no answer within 150ms"}) || f[1].count != 2 || strings.Count(log.String(), "\n") != 2 {
		t.Errorf("%+v: %s", f, log)
	}
}

// A client that says that it waits for next to nothing does not have all workers fail.
func TestTimeoutFor(t *testing.T) {
	t.Parallel()
	for patience, want := range map[time.Duration]time.Duration{
		0: 3 * time.Second, 10 * time.Second: 3 * time.Second, time.Second: 750 * time.Millisecond, 1: minAppTimeout,
	} {
		if got := timeoutFor(3*time.Second, patience); got != want {
			t.Errorf("%v: %v, want %v", patience, got, want)
		}
	}
}

// OpenMetrics comes of OpenMetrics alone, and if it is wanted.
func TestCollectOpenMetrics(t *testing.T) {
	t.Parallel()
	const kind = "application/openmetrics-text; version=1.0.0; charset=utf-8"
	accepted := func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept"), "openmetrics") {
			says("text/plain", "b 1\n")(w, r)
			return
		}
		says(kind, "b 2\n# EOF\n")(w, r)
	}
	c, workers, _ := workersOf(t, says(kind, "# TYPE a counter\na_total 1\n# EOF\n"), accepted)
	mislabeled := workers[:1]
	for _, test := range []struct {
		wanted, open bool
		workers      []supervisor.WorkerStatus
		text         string
	}{
		{true, true, workers, "# TYPE a counter\na_total{worker=\"0\"} 1\nb{worker=\"1\"} 2\n"},
		{false, false, workers, "# TYPE a_total counter\na_total{worker=\"0\"} 1\nb{worker=\"1\"} 1\n"},
		{true, true, nil, ""},
		{false, false, mislabeled, "# TYPE a_total counter\na_total{worker=\"0\"} 1\n"},
	} {
		all := c.collect(t.Context(), test.workers, 0, test.wanted)
		if got := string(appendMerged(nil, all.parts, all.open)); got != test.text || all.open != test.open {
			t.Errorf("%q, %v; want %q, %v", got, all.open, test.text, test.open)
		}
	}
}

// What a worker that leaves does not answer is no failure, and what is well again is logged.
func TestCollectRecords(t *testing.T) {
	t.Parallel()
	texts := make(chan string, 3)
	texts <- "nonsense"
	texts <- "nonsense"
	texts <- "a 1\n"
	c, workers, log := workersOf(t, func(w http.ResponseWriter, r *http.Request) { says("", <-texts)(w, r) })
	leaving := []supervisor.WorkerStatus{workers[0]}
	leaving[0].Serves, leaving[0].State = false, "draining"
	c.collect(t.Context(), leaving, 0, false)
	if log.Len() > 0 || c.failures[0].count != 0 {
		t.Errorf("%+v: %s", c.failures, log)
	}
	c.collect(t.Context(), workers, 0, false)
	c.collect(t.Context(), workers, 0, false)
	if text := log.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "has metrics again") || c.failures[0].count != 1 {
		t.Errorf("%+v: %s", c.failures, text)
	}
}
