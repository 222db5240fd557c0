package cluster

import (
	"slices"
	"strings"
	"testing"
)

// Each library that talks to a primary is told of once, whatever it says besides
// and however much of it; what Node itself says is not meant.
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
	s := m.waitState("all have been heard", func(s State) bool { return slices.Contains(s.Senders, OtherSender) })
	want := []string{"log4js", "rate-limiter-flexible", "@socket.io/cluster-adapter", "@socket.io/sticky", "prom-client", OtherSender}
	if !slices.Equal(s.Senders, want) {
		t.Errorf("heard %q, want %q", s.Senders, want)
	}
}
