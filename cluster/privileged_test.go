package cluster

import (
	"fmt"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// unprivileged starts a primary that may not bind low ports; its workers, which are this
// process, may.
func unprivileged(t *testing.T, balance Balance) *remotePrimary {
	t.Helper()
	needsRoot(t)
	needsLowPorts(t)
	return startPrimary(t, plainUser.argv, balance, "")
}

// bound returns a socket that listens where the primary may not.
func bound(t *testing.T, host string, port int) int {
	t.Helper()
	fd, _ := opens(t, tcpQuery(host, port), exclusive)
	return fd
}

// However many ask for a low port, it is bound once, and all get the same server.
func TestPrivilegedPortIsBoundOnceForAll(t *testing.T) {
	t.Parallel()
	for i, balance := range []Balance{RR, Shared, ReusePort, IPHash} {
		t.Run(string(balance), func(t *testing.T) {
			t.Parallel()
			p := unprivileged(t, balance)
			host := loopback(40 + i)
			workers := []*fakeWorker{p.open(), p.open(), p.open()}
			asked := queryFrame(object{"address": host, "port": 81, "backlog": 7})
			workers[0].send("%s", asked)
			p.Expect(fmt.Sprintf("bind %q 81 false 7", host))
			workers[1].send("%s", asked)
			workers[2].send("%s", asked)
			workers[2].send(`{"cmd":"NODE_SOCKET_GET_COUNT","key":"all is read"}`)
			workers[2].receive()
			sendFD(p.control, "bound", bound(t, host, 81))
			key := ""
			for _, m := range workers {
				a := m.hearsAnswer()
				if a.err() != 0 || a.passed != (balance != RR) || key != "" && a.Key != key {
					t.Errorf("%+v, want key %q", a, key)
				}
				key = a.Key
			}
			c, err := net.Dial("tcp", host+":81")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if balance == RR {
				workers[0].serve("low")
				if got := read(t, c); got != "low" {
					t.Errorf("got %q", got)
				}
			}
			late := p.open() // it is bound already
			if a := late.asks(object{"address": host, "port": 81}); a.err() != 0 || a.Key != key {
				t.Errorf("later: %+v, want key %q", a, key)
			}
		})
	}
}

// All workers that ask get the reason why a low port could not be bound; the next one makes it be tried again.
func TestErrorOfAPrivilegedPortIsToldToAll(t *testing.T) {
	t.Parallel()
	p := unprivileged(t, RR)
	host := loopback(50)
	a, b := p.open(), p.open()
	asked := object{"address": host, "port": 82, "flags": flagIPv6Only}
	for _, code := range []unix.Errno{unix.EADDRINUSE, unix.EACCES} {
		for _, m := range []*fakeWorker{a, b} {
			m.send("%s", queryFrame(asked))
		}
		p.Expect(fmt.Sprintf("bind %q 82 true 511", host))
		for _, m := range []*fakeWorker{a, b} {
			m.send(`{"cmd":"NODE_SOCKET_GET_COUNT","key":"all is read"}`)
			m.receive()
		}
		sendFD(p.control, fmt.Sprintf("failed %d", code), -1)
		for _, m := range []*fakeWorker{a, b} {
			if got := m.hearsAnswer(); got.err() != code || got.Key != "" {
				t.Errorf("%+v, want %v", got, code)
			}
		}
	}
	a.send("%s", queryFrame(asked))
	p.Expect(fmt.Sprintf("bind %q 82 true 511", host))
	sendFD(p.control, "bound", bound(t, host, 82))
	if got := a.hearsAnswer(); got.err() != 0 {
		t.Errorf("%+v", got)
	}
}

// Each port is bound for itself, and one that takes long holds up no other; a worker that has asked and
// ended is not missed.
func TestPrivilegedPortsAreBoundSideBySide(t *testing.T) {
	t.Parallel()
	p := unprivileged(t, RR)
	host := loopback(51)
	gone, a, b := p.open(), p.open(), p.open()
	gone.send("%s", queryFrame(object{"address": host, "port": 83}))
	p.Expect(fmt.Sprintf("bind %q 83 false 511", host))
	a.send("%s", queryFrame(object{"address": host, "port": 83}))
	a.gets(object{"address": host}) // any port, meanwhile
	gone.conn.Close()
	b.gets(object{"address": host})
	sendFD(p.control, "bound", bound(t, host, 83))
	if got := a.hearsAnswer(); got.err() != 0 {
		t.Errorf("%+v", got)
	}
	b.send("%s", queryFrame(object{"address": host, "port": 84}))
	p.Expect(fmt.Sprintf("bind %q 84 false 511", host))
	sendFD(p.control, "bound", bound(t, host, 84))
	if got := b.hearsAnswer(); got.err() != 0 {
		t.Errorf("%+v", got)
	}
}

// Nobody binds for a worker what that could not bind itself, what is no TCP port, and what
// fails for another reason.
func TestWhatIsNotBoundForAWorker(t *testing.T) {
	t.Parallel()
	p := unprivileged(t, RR)
	m, plain := p.open(), p.open()
	v := plain.voice(rights{UID: otherUser - 1, GID: otherGroup, Groups: []int{}}.argv("speaker"))
	host := loopback(52)
	if a := plain.askBy(v, object{"address": host, "port": 85}); a.err() != unix.EACCES {
		t.Errorf("a worker without the right: %+v, want EACCES", a)
	}
	for what, c := range map[string]struct {
		over object
		want unix.Errno
	}{
		"datagrams":          {object{"address": host, "port": 85, "addressType": "udp4"}, unix.EACCES},
		"no address of ours": {object{"address": "192.0.2.1", "port": 8500}, unix.EADDRNOTAVAIL},
		"a descriptor":       {object{"fd": 999, "port": 85}, unix.EINVAL},
		"a socket's file":    {object{"address": "/root/nodeinit-test.sock", "port": -1}, unix.EACCES},
	} {
		if a := m.asks(c.over); a.err() != c.want {
			t.Errorf("%s: %+v, want %v", what, a, c.want)
		}
	}
	m.send("%s", queryFrame(object{"address": host, "port": 86}))
	p.Expect(fmt.Sprintf("bind %q 86 false 511", host)) // the first
}
