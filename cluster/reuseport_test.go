package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// The tests of groups do not run beside others: a process that one of these starts has copies
// of all sockets until it execs, so that closed ones are still in their group for a moment.

// A testGroup is a group with the copies that its workers have.
type testGroup struct {
	group
	t      *testing.T
	query  query
	copies map[int]int   // of the slots, as their workers have them
	owned  map[int64]int // those of owners that are to close them
	slotOf map[int]int   // of each copy
}

func newTestGroup(t *testing.T, address string, byAddress bool) *testGroup {
	g := &testGroup{
		group: group{byAddress: byAddress, fds: make(map[int]int)}, t: t, query: tcpQuery(address, 0),
		copies: make(map[int]int), owned: make(map[int64]int), slotOf: make(map[int]int),
	}
	t.Cleanup(func() {
		g.close()
		for fd := range g.slotOf {
			closeFD(fd)
		}
	})
	return g
}

// open adds a socket for a slot, and one for its worker.
func (g *testGroup) open(slot int) {
	g.t.Helper()
	fd, _, err := g.query.listen(g.next())
	if err != nil {
		g.t.Fatal(err)
	}
	g.query.port = int64(nameOf(fd).Port)
	if err := g.add(slot, fd); err != nil {
		g.t.Fatal(err)
	}
	worker, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		g.t.Fatal(err)
	}
	g.copies[slot], g.slotOf[worker] = worker, slot
}

// leave has the socket of a slot get nothing more; its worker still has it.
func (g *testGroup) leave(slot int, owner int64) {
	g.exclude(slot, owner)
	g.owned[owner] = g.copies[slot]
	delete(g.copies, slot)
	g.remove(slot)
}

// exit ends the worker that has a socket which was excluded.
func (g *testGroup) exit(owner int64) {
	fd := g.owned[owner]
	delete(g.owned, owner)
	delete(g.slotOf, fd)
	closeFD(fd)
	g.ownerExited(owner)
}

// drop closes the socket of a slot, whose worker has done so before.
func (g *testGroup) drop(slot int) {
	fd := g.copies[slot]
	delete(g.copies, slot)
	delete(g.slotOf, fd)
	closeFD(fd)
	g.remove(slot)
}

// reached connects from a host and returns the descriptor whose turn it was.
func (g *testGroup) reached(from, to net.IP) (fd int) {
	g.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
	c, err := d.Dial("tcp", (&net.TCPAddr{IP: to, Port: int(g.query.port)}).String())
	if err != nil {
		g.t.Fatal(err)
	}
	defer c.Close()
	var poll []unix.PollFd
	for fd := range g.slotOf {
		poll = append(poll, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	for {
		_, err := unix.Poll(poll, int(testproc.HangLimit.Milliseconds()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		i := slices.IndexFunc(poll, func(p unix.PollFd) bool { return p.Revents != 0 })
		if err != nil || i < 0 {
			g.t.Fatalf("no slot is reached from %v (%v)", from, err)
		}
		conn, err := accept(int(poll[i].Fd))
		if err != nil {
			g.t.Fatal(err)
		}
		closeFD(conn)
		return int(poll[i].Fd)
	}
}

// expected returns the descriptor that a client reaches with ip-hash, if the kernel has the
// sockets in the order of the group.
func (g *testGroup) expected(from net.IP) (fd int) {
	var number uint32
	if four := from.To4(); four != nil {
		number = binary.BigEndian.Uint32(four)
	} else {
		for i := 0; i < net.IPv6len; i += 4 {
			number ^= binary.BigEndian.Uint32(from[i:])
		}
	}
	number = number * 2654435769 >> 16
	stay := slices.DeleteFunc(slices.Clone(g.sockets), func(s groupSocket) bool { return s.owner != 0 })
	one := stay[int(number)%len(stay)]
	others := slices.DeleteFunc(slices.Clone(stay), func(s groupSocket) bool { return s.paused })
	if one.paused && len(others) > 0 {
		one = others[int(number)/len(stay)%len(others)]
	}
	return g.copies[one.slot]
}

func client(i int) net.IP { return net.IPv4(127, 0, byte(3+i/200), byte(1+i%200)) }

// With ip-hash each client reaches the slot that its address says, while sockets come, leave
// and go in any order: the kernel's order and the group's are the same all the time.
func TestGroupHasTheOrderOfTheKernel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 0))
			g := newTestGroup(t, "", true)
			g.open(0)
			var owner int64
			for range 40 {
				slots := make([]int, 0, len(g.copies))
				for slot := range g.copies {
					slots = append(slots, slot)
				}
				slices.Sort(slots)
				one := slots[random.IntN(len(slots))]
				switch what := random.IntN(5); {
				case what == 0 && len(slots) > 1:
					owner++
					g.leave(one, owner)
				case what == 1 && len(slots) > 1:
					g.drop(one)
				case what == 2 && len(g.owned) > 0:
					for owner := range g.owned {
						g.exit(owner)
						break
					}
				case what == 3:
					paused := random.IntN(64)
					g.pause(func(slot int) bool { return paused&(1<<slot) != 0 })
				case len(slots) < 6:
					free := 0
					for slices.Contains(slots, free) {
						free++
					}
					g.open(free)
				}
				g.checkClients(12)
			}
		})
	}
}

// checkClients checks where so many clients come to, and one of IPv6.
func (g *testGroup) checkClients(n int) {
	g.t.Helper()
	for i := range n {
		if got, want := g.reached(client(i), net.IPv4(127, 0, 0, 1)), g.expected(client(i)); got != want {
			g.t.Fatalf("%v reached slot %d, want %d of %+v", client(i), g.slotOf[got], g.slotOf[want], g.sockets)
		}
	}
	if got, want := g.reached(net.IPv6loopback, net.IPv6loopback), g.expected(net.IPv6loopback); got != want {
		g.t.Fatalf("::1 reached slot %d, want %d of %+v", g.slotOf[got], g.slotOf[want], g.sockets)
	}
}

// With reuseport all that stay are reached, and none that leaves; when those are gone the
// kernel chooses by itself again.
func TestGroupReachesAllThatStay(t *testing.T) {
	g := newTestGroup(t, "127.0.0.1", false)
	for slot := range 4 {
		g.open(slot)
	}
	reach := func(want ...int) {
		t.Helper()
		var slots []int
		for i := range 120 { // not to reach one of four has p < 4e-15
			fd := g.reached(client(i), net.IPv4(127, 0, 0, 1))
			if !slices.Contains(slots, g.slotOf[fd]) {
				slots = append(slots, g.slotOf[fd])
			}
		}
		slices.Sort(slots)
		if !slices.Equal(slots, want) {
			t.Errorf("reached %v, want %v of %+v", slots, want, g.sockets)
		}
	}
	reach(0, 1, 2, 3)
	g.leave(0, 10)
	g.leave(2, 12)
	reach(1, 3)
	if !g.hasOwner(10) || !g.hasOwner(12) || g.hasOwner(11) {
		t.Errorf("owners of %+v", g.sockets)
	}
	g.exit(10)
	reach(1, 3)
	g.open(0)
	reach(0, 1, 3)
	g.exit(12)
	g.pause(func(slot int) bool { return slot == 1 })
	reach(0, 3)
	g.pause(func(int) bool { return true })
	reach(0, 1, 3)
	g.pause(func(int) bool { return false })
	if g.bpfAttached {
		t.Error("the kernel does not choose by itself")
	}
	reach(0, 1, 3)
	g.ownerExited(99) // owns no socket
	g.remove(77)
	reach(0, 1, 3)
}

// The first socket finds out whether the port is free, and so does the first after all
// have gone.
func TestGroupBeginsAnewWhenItIsEmpty(t *testing.T) {
	g := newTestGroup(t, "127.0.0.1", true)
	if g.next() != groupFirst {
		t.Error("the first is not the first")
	}
	g.open(0)
	if g.next() != groupMember {
		t.Error("the second is the first")
	}
	g.leave(0, 1)
	if g.next() != groupFirst || len(g.sockets) != 1 {
		t.Errorf("all leave: %+v", g.sockets)
	}
	g.close()
	g.exit(1)
	if len(g.sockets) != 0 {
		t.Errorf("left: %+v", g.sockets)
	}
	g.open(3) // the port is free again
	g.checkOnly(3)
}

func (g *testGroup) checkOnly(slot int) {
	g.t.Helper()
	if fd := g.reached(client(1), net.IPv4(127, 0, 0, 1)); g.slotOf[fd] != slot {
		g.t.Errorf("reached %d, want %d", g.slotOf[fd], slot)
	}
}
