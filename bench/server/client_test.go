package server

import "testing"

func TestAnswered(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nDate: x\r\n\r\n"
	for _, c := range []struct {
		answer string
		pid    int
		ok     bool
	}{
		{head + "1234\n", 1234, true},
		{head + "12", 0, false},                         // half a body
		{head + "5\r\n1234\n\r\n0\r\n\r\n", 1234, true}, // chunked
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\n", 0, false},
		{"HTTP/1.1 503 no\r\n\r\n1234\n", 0, false},
	} {
		if pid, ok := answered([]byte(c.answer)); pid != c.pid || ok != c.ok {
			t.Errorf("answered %q: %d %v, want %d %v", c.answer, pid, ok, c.pid, c.ok)
		}
	}
}
