package logs

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 7_999_999, time.FixedZone("", 3600))

func TestSmoke(t *testing.T) {
	for _, name := range []string{"default", "gcp", "datadog", "ecs"} {
		e := newEncoder(FieldsOf(name), Source{Worker: 1, PID: 17})
		for _, line := range []string{`{}`, `{ } `, `{"level":30,"time":1,"pid":2,"msg":"a"}`, `{"level":"warn"}`, `{"log":{}}`, "a\"\x1b\xff\u2603"} {
			dst, ok := e.appendObject(nil, []byte(line), noon)
			if !ok {
				dst = e.appendText(dst, []byte(line), noon, false)
			}
			t.Logf("%s", dst)
		}
	}
	e := newEncoder(nil, Source{Worker: -1, PID: 17, Stderr: true})
	d := e.appendText(nil, make([]byte, 5000), noon, false)
	t.Logf("%s %d", d[len(d)-300:], len(d))
}
