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
	hasBody      bool
	// accept has the values of all fields of that name, and timeout how long Prometheus
	// waits for the answer, 0 if it does not say so.
	accept  string
	timeout time.Duration
}

// headEnd returns the end of the head of a request, after the empty line; -1: it is not
// there. Empty lines before a request do not count (RFC 9112, 2.2), and a line may end
// without CR.
func headEnd(b []byte) int {
	start := 0
	for start < len(b) && (b[start] == '\r' || b[start] == '\n') {
		start++
	}
	for i := start; i < len(b); i++ {
		if b[i] != '\n' {
			continue
		}
		rest := b[i+1:]
		switch {
		case len(rest) >= 1 && rest[0] == '\n':
			return i + 2
		case len(rest) >= 2 && rest[0] == '\r' && rest[1] == '\n':
			return i + 3
		}
	}
	return -1
}

// parseHTTP parses the head of a request. A status that is not 0 is that of the answer.
func parseHTTP(head []byte) (q httpRequest, status int) {
	line, fields := nextLine(bytes.TrimLeft(head, "\r\n"))
	minor, status := q.parseRequestLine(line)
	hosts := 0
	for status == 0 && len(fields) > 0 {
		line, fields = nextLine(fields)
		if len(line) == 0 {
			break
		}
		var name, value string
		var ok bool
		if name, value, ok = parseField(line); !ok {
			return q, 400
		}
		switch name {
		case "host":
			hosts++
		case "content-length":
			q.hasBody = q.hasBody || strings.Trim(value, "0") != "" || value == ""
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
	if status == 0 && (hosts > 1 || hosts == 0 && minor > 0) { // RFC 9112, 3.2
		status = 400
	}
	return q, status
}

// nextLine returns the first line of b without its end.
func nextLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

// parseRequestLine parses "GET /path?query HTTP/1.1", and returns the minor version.
func (q *httpRequest) parseRequestLine(line []byte) (minor byte, status int) {
	method, rest, _ := strings.Cut(string(line), " ")
	target, version, ok := strings.Cut(rest, " ")
	if !ok || !isToken(method) || len(version) != len("HTTP/1.1") || version[:5] != "HTTP/" ||
		version[6] != '.' || !isDigit(version[5]) || !isDigit(version[7]) {
		return 0, 400
	}
	if version[5] != '1' {
		return 0, 505
	}
	if absolute, ok := strings.CutPrefix(target, "http://"); ok { // RFC 9112, 3.2.2: a server must accept it
		slash := strings.IndexByte(absolute, '/')
		if slash < 1 {
			return 0, 400
		}
		target = absolute[slash:]
	}
	for i := range len(target) {
		if target[i] <= ' ' || target[i] >= 0x7f {
			return 0, 400
		}
	}
	q.method = method
	q.path, _, _ = strings.Cut(target, "?")
	if q.path == "" || q.path[0] != '/' && target != "*" {
		return 0, 400
	}
	return version[7], 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// parseField parses "Name: value". The name is in lower case.
func parseField(line []byte) (name, value string, ok bool) {
	name, value, ok = strings.Cut(string(line), ":")
	if !ok || !isToken(name) {
		return "", "", false // also where a line goes on with white space, which is obsolete
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return "", "", false
		}
	}
	return strings.ToLower(name), strings.Trim(value, " \t"), true
}

// isToken reports whether text is a token (RFC 9110, 5.6.2).
func isToken(text string) bool {
	for i := range len(text) {
		c := text[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || isDigit(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			continue
		}
		return false
	}
	return text != ""
}

// prefersOpenMetrics reports whether a client takes OpenMetrics 1.0.0 at least as gladly
// as the text format of Prometheus, by the values of its Accept fields (RFC 9110, 12.5.1).
// It has to name it: what accepts anything gets the older format, which all can read.
func prefersOpenMetrics(accept string) bool {
	open, text := 0, 0
	for item := range strings.SplitSeq(accept, ",") {
		kind, parameters, _ := strings.Cut(strings.ToLower(item), ";")
		quality, version := 1000, ""
		for parameter := range strings.SplitSeq(parameters, ";") {
			name, value, _ := strings.Cut(strings.Trim(parameter, " \t"), "=")
			switch value = strings.Trim(value, "\""); name {
			case "q":
				quality = thousandths(value)
			case "version":
				version = value
			}
		}
		switch strings.Trim(kind, " \t") {
		case "application/openmetrics-text":
			if version == "" || version == "1.0.0" {
				open = max(open, quality)
			}
		case "text/plain", "text/*", "*/*":
			text = max(text, quality)
		}
	}
	return open > 0 && open >= text
}

// thousandths returns a quality, as 0.5, in thousandths; 0 for what is none.
func thousandths(quality string) int {
	n, err := strconv.ParseFloat(quality, 64)
	if err != nil || !(n >= 0 && n <= 1) {
		return 0
	}
	return int(n*1000 + 0.5)
}
