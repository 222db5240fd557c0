package admin

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// An httpRequest is what is looked at of a request (RFC 9112).
type httpRequest struct {
	method, path string
	minor        byte // of the version
	hasBody      bool
	// accept has the values of all fields of that name, each after a comma, and timeout how
	// long Prometheus waits for the answer, 0 if it does not say so.
	accept  string
	timeout time.Duration
}

// headEnd returns the end of the head of a request, after the empty line; -1: it is not
// there. Empty lines before a request do not count (RFC 9112, 2.2), and a line may end
// without CR.
func headEnd(b []byte) int {
	begun := bytes.TrimLeft(b, "\r\n")
	empty := true // the line is, so far
	for i, c := range begun {
		switch {
		case c == '\n' && empty:
			return len(b) - len(begun) + i + 1
		case c == '\n':
			empty = true
		case c != '\r':
			empty = false
		}
	}
	return -1
}

// parse parses the head of a request. A status that is not "" is that of the answer.
func (q *httpRequest) parse(head []byte) (status string) {
	line, fields := nextLine(bytes.TrimLeft(head, "\r\n"))
	if status = q.parseLine(line); status != "" {
		return status
	}
	hosts := 0
	for {
		line, fields = nextLine(fields)
		if len(line) == 0 {
			break
		}
		name, value, ok := strings.Cut(string(line), ":")
		if !ok || !isToken(name) || !isFieldText(value) { // a line that goes on with white space is obsolete
			return httpBad
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "host":
			hosts++
		case "content-length":
			q.hasBody = q.hasBody || value != "0"
		case "transfer-encoding":
			q.hasBody = true
		case "accept":
			q.accept += "," + value
		case "x-prometheus-scrape-timeout-seconds":
			if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds > 0 && seconds < 1e6 {
				q.timeout = time.Duration(seconds * float64(time.Second))
			}
		}
	}
	if hosts > 1 || hosts == 0 && q.minor > '0' { // RFC 9112, 3.2
		return httpBad
	}
	return ""
}

// nextLine returns the first line of b without its end.
func nextLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

// parseLine parses "GET /path?query HTTP/1.1". A status that is not "" is that of the answer.
func (q *httpRequest) parseLine(line []byte) (status string) {
	method, rest, _ := strings.Cut(string(line), " ")
	target, version, _ := strings.Cut(rest, " ")
	major, ok := strings.CutPrefix(version, "HTTP/")
	if !ok || len(major) != len("1.1") || !isDigit(major[0]) || major[1] != '.' || !isDigit(major[2]) || !isToken(method) {
		return httpBad
	}
	if major[0] != '1' {
		return httpOtherVersion
	}
	if !isFieldText(target) || strings.ContainsAny(target, " \t") {
		return httpBad
	}
	if absolute, ok := strings.CutPrefix(target, "http://"); ok { // RFC 9112, 3.2.2: a server takes it
		target = absolute[max(strings.IndexByte(absolute, '/'), 0):]
	}
	if target != "*" && !strings.HasPrefix(target, "/") {
		return httpBad
	}
	q.method, q.minor = method, major[2]
	q.path, _, _ = strings.Cut(target, "?")
	return ""
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isFieldText reports whether text has no control characters but tabs.
func isFieldText(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isToken reports whether text is a token (RFC 9110, 5.6.2).
func isToken(text string) bool {
	for i := range len(text) {
		c := text[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && !isDigit(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return text != ""
}

// prefersOpenMetrics reports whether a client takes OpenMetrics 1.0.0 at least as gladly
// as the text format of Prometheus, by the values of its Accept fields (RFC 9110, 12.5.1).
// It has to name it: what accepts anything gets the older format, which all can read.
func prefersOpenMetrics(accept string) bool {
	open, text := 0.0, 0.0
	for accept != "" {
		var item, kind, parameter string
		item, accept, _ = strings.Cut(accept, ",")
		kind, item, _ = strings.Cut(strings.ToLower(item), ";")
		quality, version := 1.0, "1.0.0"
		for item != "" {
			parameter, item, _ = strings.Cut(item, ";")
			name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
			switch name {
			case "q":
				quality, _ = strconv.ParseFloat(value, 64) // 0 for what is no number
			case "version":
				version = strings.Trim(value, `"`)
			}
		}
		switch strings.TrimSpace(kind) {
		case "application/openmetrics-text":
			if version == "1.0.0" {
				open = max(open, quality)
			}
		case "text/plain", "text/*", "*/*":
			text = max(text, quality)
		}
	}
	return open > 0 && open >= text
}
