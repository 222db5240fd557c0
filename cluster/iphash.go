package cluster

import (
	"golang.org/x/sys/unix"
)

// attachIPHash has the kernel choose among the n sockets of fd's SO_REUSEPORT
// group by the client's address alone. The program is classic BPF, which needs
// no privilege (SO_ATTACH_REUSEPORT_CBPF, socket(7), Linux 4.6); its result is
// an index into the group, in the order in which the sockets came to it.
func attachIPHash(fd, n int) error {
	filter := ipHash(uint32(n))
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &program)
}

// ipHash is the program. A socket for IPv6 gets the packets of IPv4 as they
// came, so the version is looked at. The address is multiplied by the golden
// ratio (Knuth), whose upper bits depend on all of it.
func ipHash(n uint32) []unix.SockFilter {
	const (
		netOff = 0xfff00000 // SKF_NET_OFF, include/uapi/linux/filter.h: from the IP header on
		golden = 2654435769
		load   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		source = 8 // of IPv6: 16 bytes
	)
	op := func(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }
	return []unix.SockFilter{
		op(unix.BPF_LD|unix.BPF_B|unix.BPF_ABS, netOff),
		op(unix.BPF_ALU|unix.BPF_RSH|unix.BPF_K, 4),
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 2, K: 6},
		op(load, netOff+12), // of IPv4
		op(unix.BPF_JMP|unix.BPF_JA, 10),
		op(load, netOff+source),
		op(unix.BPF_MISC|unix.BPF_TAX, 0),
		op(load, netOff+source+4),
		op(unix.BPF_ALU|unix.BPF_XOR|unix.BPF_X, 0),
		op(unix.BPF_MISC|unix.BPF_TAX, 0),
		op(load, netOff+source+8),
		op(unix.BPF_ALU|unix.BPF_XOR|unix.BPF_X, 0),
		op(unix.BPF_MISC|unix.BPF_TAX, 0),
		op(load, netOff+source+12),
		op(unix.BPF_ALU|unix.BPF_XOR|unix.BPF_X, 0),
		op(unix.BPF_ALU|unix.BPF_MUL|unix.BPF_K, golden),
		op(unix.BPF_ALU|unix.BPF_RSH|unix.BPF_K, 16),
		op(unix.BPF_ALU|unix.BPF_MOD|unix.BPF_K, n),
		op(unix.BPF_RET|unix.BPF_A, 0),
	}
}
