package cluster

import (
	"slices"

	"golang.org/x/sys/unix"
)

// A group is the sockets of a server with SO_REUSEPORT, one for each slot. The kernel
// chooses among them: by the client's address with byAddress, else at random or by a
// hash of the connection.
type group struct {
	byAddress   bool
	fds         map[int]int   // by slot
	sockets     []groupSocket // in the order of the kernel
	bpfAttached bool
}

// A groupSocket is known to the kernel by its index: in the order in which they were
// added, and when one is closed, the last takes its place
// (net/core/sock_reuseport.c).
type groupSocket struct {
	slot   int
	paused bool  // it is to get no connections for now
	owner  int64 // ID of the worker that still has it, while the slot is to have it no more; 0: none
}

// next returns how the next socket of the group is to be bound.
func (g *group) next() reusePort {
	if len(g.fds) == 0 {
		return groupFirst
	}
	return groupMember
}

// add adds the socket of a slot.
func (g *group) add(slot, fd int) error {
	g.fds[slot] = fd
	g.sockets = append(g.sockets, groupSocket{slot: slot})
	return g.updateSelector()
}

// remove closes the socket of a slot, if it has one.
func (g *group) remove(slot int) {
	fd, exists := g.fds[slot]
	if !exists {
		return
	}
	delete(g.fds, slot)
	_ = unix.Close(fd)
	if i := slices.IndexFunc(g.sockets, func(s groupSocket) bool { return s.slot == slot && s.owner == 0 }); i >= 0 {
		g.removeAt(i)
		_ = g.updateSelector()
	}
}

// close closes the primary's copies of all sockets.
func (g *group) close() {
	for _, fd := range g.fds {
		_ = unix.Close(fd)
	}
	clear(g.fds)
}

// exclude has no more connections come to the socket of a slot, which the worker with
// the ID owner is to close.
func (g *group) exclude(slot int, owner int64) {
	for i := range g.sockets {
		if s := &g.sockets[i]; s.slot == slot && s.owner == 0 {
			s.owner = owner
		}
	}
	_ = g.updateSelector()
}

// pause has connections come to the sockets of other slots than those that are paused;
// if all are, to all.
func (g *group) pause(paused func(slot int) bool) {
	changed := false
	for i := range g.sockets {
		s := &g.sockets[i]
		if now := s.owner == 0 && paused(s.slot); now != s.paused {
			s.paused, changed = now, true
		}
	}
	if changed {
		_ = g.updateSelector()
	}
}

// hasOwner reports whether a worker has a socket that was excluded.
func (g *group) hasOwner(owner int64) bool {
	return slices.ContainsFunc(g.sockets, func(s groupSocket) bool { return s.owner == owner })
}

// ownerExited is called when a worker has exited, so that its sockets are closed.
func (g *group) ownerExited(owner int64) {
	before := len(g.sockets)
	for i := 0; i < len(g.sockets); i++ {
		if g.sockets[i].owner == owner {
			g.removeAt(i)
			i--
		}
	}
	if len(g.sockets) < before {
		_ = g.updateSelector()
	}
}

func (g *group) removeAt(i int) {
	last := len(g.sockets) - 1
	g.sockets[i] = g.sockets[last]
	g.sockets = g.sockets[:last]
}

// updateSelector has the kernel choose among the sockets that are not excluded.
func (g *group) updateSelector() error {
	fd, stay := -1, uint32(0)
	var paused, leaving []uint32
	for i, s := range g.sockets {
		if s.owner != 0 {
			leaving = append(leaving, uint32(i))
			continue
		}
		if s.paused {
			paused = append(paused, stay)
		}
		stay++
		if own, exists := g.fds[s.slot]; exists {
			fd = own
		}
	}
	if len(paused) == int(stay) {
		paused = nil
	}
	switch {
	case fd < 0: // all are closed here
		return nil
	case g.byAddress:
		return attachSelector(fd, addressHash(), stay, paused, leaving)
	case len(paused)+len(leaving) > 0:
		g.bpfAttached = true
		return attachSelector(fd, random(), stay, paused, leaving)
	case g.bpfAttached:
		g.bpfAttached = false
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_REUSEPORT_BPF, 0) == nil {
			return nil
		}
		return attachSelector(fd, random(), stay, nil, nil) // before Linux 5.3
	}
	return nil
}

// attachSelector has the kernel choose a socket of fd's group by number modulo stay: that
// is its place among those not leaving. If the one in that place is paused, it is one of
// the others by number / stay, so that the clients of the others keep theirs. The program
// is classic BPF, which needs no privilege (SO_ATTACH_REUSEPORT_CBPF, socket(7), Linux
// 4.6), and returns an index.
func attachSelector(fd int, number []unix.SockFilter, stay uint32, paused, leaving []uint32) error {
	const modulo, divide, loadMem = unix.BPF_ALU | unix.BPF_MOD | unix.BPF_K, unix.BPF_ALU | unix.BPF_DIV | unix.BPF_K, unix.BPF_LD | unix.BPF_MEM
	filter := number
	if len(paused) > 0 {
		filter = append(filter, bpf(unix.BPF_ST, 0), bpf(divide, stay), bpf(modulo, stay-uint32(len(paused))))
		filter = append(skip(filter, paused), bpf(unix.BPF_ST, 1), bpf(loadMem, 0))
	}
	filter = append(filter, bpf(modulo, stay))
	for _, i := range paused {
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: i}, bpf(loadMem, 1))
	}
	filter = append(skip(filter, leaving), bpf(unix.BPF_RET|unix.BPF_A, 0))
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &program)
}

// skip adds to a filter what turns a place among all but some sockets into that among all.
func skip(filter []unix.SockFilter, sockets []uint32) []unix.SockFilter {
	for _, i := range sockets { // in ascending order
		filter = append(filter,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, Jf: 1, K: i},
			bpf(unix.BPF_ALU|unix.BPF_ADD|unix.BPF_K, 1))
	}
	return filter
}

func bpf(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }

// random loads a random number (SKF_AD_RANDOM, include/uapi/linux/filter.h, Linux 3.16).
func random() []unix.SockFilter {
	const skfADRandom = 0xfffff000 + 56
	return []unix.SockFilter{bpf(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, skfADRandom)}
}

// addressHash loads a number that depends on the client's address only. The IP version
// is read from the packet, as an IPv6 socket gets packets of IPv4 unchanged. The address
// is multiplied by the golden ratio (Knuth), so that the upper bits depend on all of it.
func addressHash() []unix.SockFilter {
	const (
		netOff = 0xfff00000 // SKF_NET_OFF, include/uapi/linux/filter.h: from the IP header on
		golden = 2654435769
		load   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		source = 8 // of IPv6: 16 bytes
	)
	return []unix.SockFilter{
		bpf(unix.BPF_LD|unix.BPF_B|unix.BPF_ABS, netOff),
		bpf(unix.BPF_ALU|unix.BPF_RSH|unix.BPF_K, 4),
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 2, K: 6},
		bpf(load, netOff+12), // of IPv4
		bpf(unix.BPF_JMP|unix.BPF_JA, 10),
		bpf(load, netOff+source),
		bpf(unix.BPF_MISC|unix.BPF_TAX, 0),
		bpf(load, netOff+source+4),
		bpf(unix.BPF_ALU|unix.BPF_XOR|unix.BPF_X, 0),
		bpf(unix.BPF_MISC|unix.BPF_TAX, 0),
		bpf(load, netOff+source+8),
		bpf(unix.BPF_ALU|unix.BPF_XOR|unix.BPF_X, 0),
		bpf(unix.BPF_MISC|unix.BPF_TAX, 0),
		bpf(load, netOff+source+12),
		bpf(unix.BPF_ALU|unix.BPF_XOR|unix.BPF_X, 0),
		bpf(unix.BPF_ALU|unix.BPF_MUL|unix.BPF_K, golden),
		bpf(unix.BPF_ALU|unix.BPF_RSH|unix.BPF_K, 16),
	}
}
