package admin

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/supervisor"
)

// What metrics have of sockets follows those that workers open and close, and those of
// others and of the server itself are not in it.
func TestListeningLately(t *testing.T) {
	worker := testproc.Command{Argv: testproc.Argv("listener")}.Start(t)
	workers := []supervisor.WorkerStatus{{PID: worker.PID, Started: time.Now()}, {}}
	at := "127.0.0.1:" + worker.Line()
	other := testproc.Command{Argv: testproc.Argv("listener")}.Start(t)
	notAt := "127.0.0.1:" + other.Line()
	h := &HTTP{Gatherer: new(Gatherer)}
	if err := h.Listen(netip.MustParseAddr("127.0.0.1"), 0); err != nil {
		t.Fatal(err)
	}
	defer h.listener.close()
	var addresses []string
	look := func() []string {
		addresses = nil
		for _, l := range h.Gatherer.listeningLately(workers, time.Now()) {
			addresses = append(addresses, l.Address)
		}
		return addresses
	}
	if !slices.Equal(look(), []string{at}) {
		t.Fatalf("%q, want %q alone, not %q", addresses, at, notAt)
	}
	scanned := h.Gatherer.sockets.at
	if look(); !slices.Equal(addresses, []string{at}) || h.Gatherer.sockets.at != scanned && time.Since(scanned) < minOwnersAge {
		t.Errorf("%q, looked at again", addresses)
	}
	own, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "a new socket", func() bool { return slices.Contains(look(), own.Addr().String()) })
	own.Close()
	if slices.Contains(look(), own.Addr().String()) || !slices.Contains(addresses, at) {
		t.Errorf("%q after it was closed", addresses)
	}
	workers = workers[1:]
	if len(look()) != 0 {
		t.Errorf("%q without the worker", addresses)
	}
}

// The order in which the kernel lists sockets is not fixed.
func TestMarkOwners(t *testing.T) {
	t.Parallel()
	known := &sockets{list: []diagSocket{{inode: 1, owner: 10}, {inode: 2}, {inode: 3, owner: 30}}}
	for _, c := range []struct {
		inodes   []uint32
		owners   []int
		complete bool
	}{
		{[]uint32{1, 2, 3}, []int{10, 0, 30}, true},
		{[]uint32{3, 2, 1}, []int{30, 0, 10}, true},
		{[]uint32{3}, []int{30}, true},
		{[]uint32{4, 1, 5, 3}, []int{0, 10, 0, 30}, false},
		{nil, nil, true},
	} {
		all := make([]diagSocket, len(c.inodes))
		for i := range all {
			all[i].inode = c.inodes[i]
		}
		complete := known.mark(all)
		for i := range all {
			if all[i].owner != c.owners[i] {
				t.Errorf("%v: %d has owner %d, want %d", c.inodes, all[i].inode, all[i].owner, c.owners[i])
			}
		}
		if complete != c.complete {
			t.Errorf("%v: complete %v", c.inodes, complete)
		}
	}
}
