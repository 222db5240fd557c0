package httpget

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A header has the status and the fields that say what the body is and how to read it,
// without spaces around them.
type header struct {
	status          int
	reason          string // the status with its words
	contentType     string
	contentCodings  []string // Content-Encoding
	transferCodings []string // Transfer-Encoding
	lengths         []string // Content-Length
}

// readFields reads the fields of a header and the empty line after them. What
// net/textproto refuses it refuses too, and a space before the colon.
func readFields(r *bufio.Reader) (h header, err error) {
	var field []byte // the last one, with the lines that continue it
	for {
		line, err := readLine(r)
		if err != nil {
			return header{}, err
		}
		if len(field) > 0 && strings.TrimLeft(line, " \t") != line { // obsolete line folding (RFC 9112, 5.2)
			field = append(append(field, ' '), strings.Trim(line, " \t")...)
			continue
		}
		if len(field) > 0 && !h.add(string(field)) {
			return header{}, fmt.Errorf("malformed MIME header line %.60q", field)
		}
		if line == "" {
			return h, nil
		}
		if !strings.Contains(line, ":") {
			return header{}, fmt.Errorf("malformed MIME header line %.60q without a colon", line)
		}
		field = append(field[:0], line...)
	}
}

// add adds a field, if it is one that counts, and reports whether it is well-formed.
func (h *header) add(field string) bool {
	name, value, _ := strings.Cut(field, ":")
	if name == "" || strings.ContainsFunc(name, isNoToken) || strings.ContainsFunc(value, isControl) {
		return false
	}
	value = strings.Trim(value, " \t")
	switch {
	case strings.EqualFold(name, "Content-Type"):
		h.contentType = value
	case strings.EqualFold(name, "Content-Encoding"):
		h.contentCodings = append(h.contentCodings, value)
	case strings.EqualFold(name, "Transfer-Encoding"):
		h.transferCodings = append(h.transferCodings, value)
	case strings.EqualFold(name, "Content-Length"):
		h.lengths = append(h.lengths, value)
	}
	return true
}

// isNoToken reports whether c may not be in the name of a field (RFC 9110, 5.6.2).
func isNoToken(c rune) bool {
	return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
}

// isControl reports whether c may not be in the value of a field (RFC 9110, 5.5).
func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

// readLine reads a line without its end, which is a line feed with or without a carriage
// return. The end of the input ends a line that has begun.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if errors.Is(err, io.EOF) && line != "" {
		err = nil
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), err
}
