package cluster

import (
	"slices"
	"strings"
	"testing"
)

// Each library that sends messages to a primary is reported once, however long its
// messages are. Messages of Node itself do not count.
func TestSenders(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	for _, line := range []string{
		`{"cmd":"NODE_SOCKET_SOMETHING","key":1}`,
		`{"topic":"log4js:message","data":"x"}`,
		`{"topic":"log4js:message","data":"` + strings.Repeat("x", 3*maxFrame) + `"}`,
		`{"channel":"rate_limiter_flexible","keyPrefix":"a","func":"consume","promiseId":1}`,
		`{"type":1,"data":{"uid":"a"},"uid":"a","nsp":"/","source":"_sio_adapter"}`,
		`{"type":"sticky:connection","data":"a"}`,
		`{"type":"prom-client:getMetricsRes","requestId":1}`,
		`42`, `"hello"`,
	} {
		m.send("%s", line)
	}
	s := m.waitState("all are reported", func(s State) bool { return slices.Contains(s.Senders, OtherSender) })
	want := []string{"log4js", "rate-limiter-flexible", "@socket.io/cluster-adapter", "@socket.io/sticky", "prom-client", OtherSender}
	if !slices.Equal(s.Senders, want) {
		t.Errorf("heard %q, want %q", s.Senders, want)
	}
}
