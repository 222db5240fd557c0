package admin

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestPrefersOpenMetrics(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]bool{
		"": false, "*/*": false, "text/plain": false, "text/html,*/*;q=0.8": false, "application/json": false,
		"application/openmetrics-text":                                            true,
		"application/openmetrics-text; version=1.0.0":                             true,
		`application/openmetrics-text; version="1.0.0"; charset=utf-8`:            true,
		"APPLICATION/OpenMetrics-Text;Version=1.0.0;Q=0.5":                        true,
		"application/openmetrics-text; version=0.0.1":                             false,
		"application/openmetrics-text;version=1.0.0;q=0":                          false,
		"application/openmetrics-text;version=1.0.0;q=0.2,text/plain":             false,
		"application/openmetrics-text;q=x":                                        false,
		"application/openmetrics-text;version=1.0.0,*/*":                          true,
		"text/plain;q=0.5, application/openmetrics-text;version=1.0.0 ; q=0.500":  true,
		"text/plain;version=0.0.4;q=1,application/openmetrics-text;version=1;q=1": false,
		",,;,=;q,application/openmetrics-text":                                    true,
		// Prometheus 2.42, as seen; and 3.x, by its documentation.
		"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1":                                                                               true,
		"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2": true,
		"text/plain;version=0.0.4;q=0.6,*/*;q=0.5": false,
	} {
		if got := prefersOpenMetrics(accept); got != want {
			t.Errorf("%q: %v", accept, got)
		}
	}
}

func TestScrapeTimeout(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"10": 10 * time.Second, "0.5": 500 * time.Millisecond, "": 0, "-1": 0, "x": 0, "NaN": 0, "1e300": 0, "Inf": 0,
	} {
		var q httpRequest
		head := "GET /metrics HTTP/1.1\r\nhost: a\r\naccept: a\r\nACCEPT: b\r\nX-Prometheus-Scrape-Timeout-Seconds: " + value + "\r\n\r\n"
		if status := q.parse([]byte(head)); status != "" || q.timeout != want || q.accept != ",a,b" {
			t.Errorf("%q: %s, %+v", value, status, q)
		}
	}
}

// A request without a body that is taken is one that net/http, which is not strict either,
// takes too.
func FuzzHTTPRequest(f *testing.F) {
	f.Add([]byte("GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: */*;q=0.1, application/openmetrics-text\r\n\r\n"))
	f.Add([]byte("\r\nHEAD http://a/livez?b HTTP/1.0\nA: b\n\nrest"))
	f.Add([]byte("POST * HTTP/1.1\r\nHost: a\r\nContent-Length: 00\r\nTransfer-Encoding: chunked\r\n\r\n"))
	f.Add([]byte("GET / HTTP/3.0\r\n\r\r\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		end := headEnd(text)
		if end < 0 {
			return
		}
		if again := headEnd(text[:end]); again != end {
			t.Fatalf("the head ends at %d, and without what follows at %d", end, again)
		}
		for i := range end {
			if headEnd(text[:i]) >= 0 {
				t.Fatalf("the head ends before %d", end)
			}
		}
		var q httpRequest
		if q.parse(text[:end]) != "" {
			return
		}
		prefersOpenMetrics(q.accept)
		if bytes.Contains(text[:end], []byte("http://")) || strings.Contains(q.path, "%") { // net/url looks at these too
			return
		}
		theirs, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(bytes.TrimLeft(text[:end], "\r\n"))))
		if err != nil {
			if !q.hasBody {
				t.Fatalf("%q: %v", text[:end], err)
			}
			return
		}
		if hasBody := theirs.ContentLength != 0; theirs.Method != q.method || hasBody && !q.hasBody || q.timeout < 0 {
			t.Fatalf("%q: %+v, and net/http has %+v", text[:end], q, theirs)
		}
	})
}
