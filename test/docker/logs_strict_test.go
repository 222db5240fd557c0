package docker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// strictObject parses a line that has to be one JSON object in UTF-8, with nothing around it and no key
// twice.
func strictObject(line string) (map[string]any, error) {
	if !utf8.ValidString(line) {
		return nil, fmt.Errorf("%q is not UTF-8", line)
	}
	if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "}") || len(line) != len(strings.TrimSpace(line)) {
		return nil, fmt.Errorf("%q is no object alone", line)
	}
	object := make(map[string]any)
	decoder := json.NewDecoder(strings.NewReader(line))
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		key, _ := token.(string)
		if _, twice := object[key]; twice {
			return nil, fmt.Errorf("%q has %s twice", line, key)
		}
		var value any
		if err := decoder.Decode(&value); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		object[key] = value
	}
	if !json.Valid([]byte(line)) { // what follows the object, too
		return nil, fmt.Errorf("%q is not valid", line)
	}
	return object, nil
}

// strictLines parses all lines, each of which has to have the fields of docs/logging.md with their types.
func strictLines(t *testing.T, output string) (objects []map[string]any) {
	t.Helper()
	if output != "" && !strings.HasSuffix(output, "\n") {
		t.Errorf("the last line is not ended: %q", output[max(0, len(output)-200):])
	}
	for line := range strings.Lines(output) {
		object, err := strictObject(strings.TrimSuffix(line, "\n"))
		if err != nil {
			t.Error(err)
			continue
		}
		if err := checkFields(object); err != nil {
			t.Errorf("%v in %s", err, line)
		}
		objects = append(objects, object)
	}
	return objects
}

// checkFields checks the types of what docs/logging.md lists. A number as time or level is the logger's.
func checkFields(object map[string]any) error {
	switch when := object["time"].(type) {
	case float64:
	case string:
		at, err := time.Parse(time.RFC3339, when)
		if err != nil || !strings.HasSuffix(when, "Z") || at.Year() < 2020 {
			return fmt.Errorf("time is %q", when)
		}
	default:
		return fmt.Errorf("time is %v", when)
	}
	switch level := object["level"].(type) {
	case float64:
		if _, ok := object["severity"].(string); !ok {
			return fmt.Errorf("level is %v, severity %v", level, object["severity"])
		}
	case string:
	default:
		return fmt.Errorf("level is %v", level)
	}
	if object["logger"] == "nodeinit" {
		if _, ok := object["msg"].(string); !ok {
			return fmt.Errorf("msg is %v", object["msg"])
		}
		return nil
	}
	worker, isNumber := object["worker"].(float64)
	if !isNumber || worker != 0 && worker != 1 {
		return fmt.Errorf("worker is %v", object["worker"])
	}
	if pid, ok := object["pid"].(float64); !ok || pid < 2 {
		return fmt.Errorf("pid is %v", object["pid"])
	}
	if stream := object["stream"]; stream != "stdout" && stream != "stderr" {
		return fmt.Errorf("stream is %v", stream)
	}
	if text, ok := object["msg"]; ok {
		if _, ok := text.(string); !ok {
			return fmt.Errorf("msg is %v", text)
		}
	}
	return nil
}

func TestStrictObject(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		``, `{`, `{}x`, ` {}`, `[]`, `{"a":1}{"b":2}`, `{"a":1,"a":2}`, `{"a":1,}`, "{\"a\":\"\xff\"}", `{"a":01}`, `{"a":"` + "\t" + `"}`,
	} {
		if object, err := strictObject(line); err == nil {
			t.Errorf("%q is %v, want an error", line, object)
		}
	}
	object, err := strictObject(`{"a":{"b":[1]},"c":null}`)
	if err != nil || len(object) != 2 {
		t.Errorf("got %v, error %v", object, err)
	}
	var text bytes.Buffer
	for _, fields := range []string{`"worker":2,"pid":9,"stream":"stdout"`, `"worker":0,"pid":"9","stream":"stdout"`, `"worker":0,"pid":9`} {
		text.Reset()
		fmt.Fprintf(&text, `{"time":"2026-11-28T11:13:08.614Z","level":"info",%s}`, fields)
		if object, err := strictObject(text.String()); err != nil || checkFields(object) == nil {
			t.Errorf("%s passes, error %v", &text, err)
		}
	}
}
