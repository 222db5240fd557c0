package cluster

import (
	"slices"

	"golang.org/x/sys/unix"
)

// A groupSocket is a socket of a server's SO_REUSEPORT group. The kernel knows it by
// its index: in the order in which they came, and when one goes, the last takes
// its place (net/core/sock_reuseport.c).
type groupSocket struct {
	slot         int
	closingOwner *Worker // who still has it, though its slot is to have it no more; nil: it stays
}

// updateSelector has the kernel choose among the sockets that stay: by the client's
// address with ip-hash; else by itself, or at random while some of them leave.
func (s *server) updateSelector() error {
	fd, stay := -1, 0
	var leaving []uint32
	for i, m := range s.group {
		if m.closingOwner != nil {
			leaving = append(leaving, uint32(i))
			continue
		}
		fd, stay = s.slots[m.slot], stay+1
	}
	switch {
	case stay == 0:
		return nil
	case s.balance == IPHash:
		return attachSelector(fd, addressHash(), uint32(stay), leaving)
	case len(leaving) > 0:
		return attachSelector(fd, random(), uint32(stay), leaving)
	case s.bpfAttached:
		s.bpfAttached = false
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_REUSEPORT_BPF, 0) == nil {
			return nil
		}
		return attachSelector(fd, random(), uint32(stay), nil) // before Linux 5.3
	}
	return nil
}

// removeFromGroup has no more connections come to the socket of a slot, which leaver is to
// close.
func (s *server) removeFromGroup(slot int, leaver *Worker) {
	for i := range s.group {
		if m := &s.group[i]; m.slot == slot && m.closingOwner == nil {
			m.closingOwner, s.bpfAttached = leaver, true
		}
	}
	_ = s.updateSelector()
}

// ownerExited is called when leaver has ended, and so what it had is closed.
func (s *server) ownerExited(leaver *Worker) {
	before := len(s.group)
	for i := 0; i < len(s.group); i++ {
		if s.group[i].closingOwner == leaver {
			s.removeGroupSocket(i)
			i--
		}
	}
	if len(s.group) < before {
		_ = s.updateSelector()
	}
}

func (s *server) removeGroupSocket(i int) {
	last := len(s.group) - 1
	s.group[i] = s.group[last]
	s.group = s.group[:last]
}

// groupIndex returns the index of the socket that a slot has, -1 if it has none.
func (s *server) groupIndex(slot int) int {
	return slices.IndexFunc(s.group, func(m groupSocket) bool { return m.slot == slot && m.closingOwner == nil })
}

// attachSelector has the kernel attachSelector among the sockets of fd's group: the stay ones
// that are not leaving, by a number. The program is classic BPF, which needs no
// privilege (SO_ATTACH_REUSEPORT_CBPF, socket(7), Linux 4.6); its result is the
// index.
func attachSelector(fd int, number []unix.SockFilter, stay uint32, leaving []uint32) error {
	filter := append(number, bpf(unix.BPF_ALU|unix.BPF_MOD|unix.BPF_K, stay))
	for _, i := range leaving { // in ascending order
		filter = append(filter,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, Jf: 1, K: i},
			bpf(unix.BPF_ALU|unix.BPF_ADD|unix.BPF_K, 1))
	}
	filter = append(filter, bpf(unix.BPF_RET|unix.BPF_A, 0))
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &program)
}

func bpf(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }

// random is a program for a random number (SKF_AD_RANDOM,
// include/uapi/linux/filter.h, Linux 3.16).
func random() []unix.SockFilter {
	const skfADRandom = 0xfffff000 + 56
	return []unix.SockFilter{bpf(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, skfADRandom)}
}

// addressHash is a program for a number that depends on the client's address
// alone. A socket for IPv6 gets the packets of IPv4 as they came, so the version
// is looked at. The address is multiplied by the golden ratio (Knuth), whose
// upper bits depend on all of it.
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
