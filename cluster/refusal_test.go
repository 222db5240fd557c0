package cluster

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What nodeinit has no descriptors for is told, with what to do; the first time only, and not
// what the worker could not have done either.
func TestRefusalIsToldOnce(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	m := newFakeWorker(t, p, 0)
	port := m.gets(nil).Sockname.Port
	for what, over := range map[string]object{
		"in use":     {"port": port},
		"not ours":   {"address": "192.0.2.1"},
		"no address": {"address": "here"},
		"no path":    {"port": -1, "address": "/no/such/directory/s"},
	} {
		if a := m.asks(over); a.err() == 0 {
			t.Errorf("%s: %+v, want an error", what, a)
		}
		if s := m.state(); s.Refused != (Refusal{}) {
			t.Errorf("%s: %+v", what, s.Refused)
		}
	}
	inside(p, func() bool { p.maxFD = 3; return true })
	for _, host := range []string{"127.0.0.2", "127.0.0.3"} {
		if a := m.asks(object{"address": host, "index": 1}); a.err() != unix.EMFILE {
			t.Errorf("%s: %+v, want EMFILE", host, a)
		}
		if r := m.state().Refused; r.Where != "127.0.0.2:0" || r.Error != unix.EMFILE.Error() || !strings.Contains(r.Try, "ulimit -n") {
			t.Errorf("%s: %+v", host, r)
		}
	}
}

// A socket that is refused for want of descriptors is closed, and its file is gone.
func TestRefusedSocketLeavesNothing(t *testing.T) {
	t.Parallel()
	p := run(t, ReusePort)
	m := newFakeWorker(t, p, 0)
	inside(p, func() bool { p.maxFD = 3; return true })
	path := filepath.Join(shortDir(t), "s")
	for _, over := range []object{at(path), {"index": 1}, {"addressType": "udp4"}, {"address": "::1"}} {
		if a := m.asks(over); a.err() != unix.EMFILE {
			t.Errorf("%v: %+v, want EMFILE", over, a)
		}
	}
	if n := inside(p, func() int { return len(p.servers) }); n != 0 {
		t.Errorf("%d servers are left", n)
	}
	if left, err := filepath.Glob(path + "*"); err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
	}
	inside(p, func() bool { p.maxFD = maxServerFD(); return true })
	m.gets(at(path))
}

// A privileged port that was bound elsewhere goes to the first worker that waits for it, the others
// join, and what none takes is closed.
func TestPrivilegedSocketIsTakenOnce(t *testing.T) {
	t.Parallel()
	q := tcpQuery("127.0.0.1", 81)
	other := tcpQuery("127.0.0.1", 82)
	for _, takers := range []int{0, 1, 3} {
		fd, closed := watched(t)
		var got []int
		var errs []error
		binds := make(privilegedBinds)
		next := func(err error) { got, errs = append(got, binds.take(q)), append(errs, err) }
		binds[q.id()] = &privilegedBind{fd: -1}
		for range takers {
			binds[q.id()].waiters = append(binds[q.id()].waiters, next)
		}
		if early, foreign := binds.take(q), binds.take(other); early >= 0 || foreign >= 0 {
			t.Errorf("before it is bound: %d and %d", early, foreign)
		}
		binds.finish(q.id(), fd, nil)
		if want := []int{fd, -1, -1}[:takers]; !slices.Equal(got, want) || len(binds) != 0 {
			t.Errorf("%d takers got %v, want %v; left %v", takers, got, want, binds)
		}
		if takers > 0 {
			closeFD(fd)
		}
		closed()
		if slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
			t.Errorf("errors %v", errs)
		}
	}
}
