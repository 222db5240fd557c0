package logs

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// pinoLine is a line of pino-http, 311 bytes long.
const pinoLine = `{"level":30,"time":1764331200000,"pid":4711,"hostname":"web-x2x4q","req":{"id":123,"method":"GET","url":"/api/users/42","headers":{"host":"example.com","user-agent":"curl/8.5.0","accept":"*/*"},"remoteAddress":"10.0.0.17","remotePort":51234},"res":{"statusCode":200},"responseTime":12,"msg":"request completed"}`

// What encoding/json needs for the verdict alone is beside it, since only the ratio is
// the same on all machines.
func BenchmarkObject(b *testing.B) {
	line := []byte(pinoLine)
	keys := FieldsOf("default").forObjects().keys
	each := func(name string, do func() bool) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				if !do() {
					b.Fatal("no object")
				}
			}
		})
	}
	each("json.Valid", func() bool { return json.Valid(line) })
	each("scan", func() bool { _, ok := scan(line, keys); return ok })

	e := newEncoder(FieldsOf("default"), Source{Worker: 1, PID: 4711})
	var dst []byte
	now := time.Now()
	each("append", func() (ok bool) { dst, ok = e.appendObject(dst[:0], line, now); return ok })
}

func BenchmarkText(b *testing.B) {
	for name, text := range map[string]string{
		"ascii":   strings.Repeat("GET /api/users/42 200 12 ms - ", 7),
		"quotes":  strings.Repeat(`GET "/api/users/42" 200 12 ms `, 7),
		"UTF-8":   strings.Repeat("подключение к базе данных ", 7),
		"invalid": strings.Repeat("GET /api/users/42 200 12 ms \xff ", 7),
		"long":    strings.Repeat("GET /api/users/42 200 12 ms - ", 1<<15),
	} {
		b.Run(name, func(b *testing.B) {
			e := newEncoder(FieldsOf("default"), Source{Worker: 1, PID: 4711})
			var dst []byte
			line, now := []byte(text), time.Now()
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				dst = e.appendText(dst[:0], line, now, false)
			}
		})
	}
}
