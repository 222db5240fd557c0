package admin

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/supervisor"
)

// Bounds on the descriptors that are looked through for sockets. Those that listen are
// among the first that a process opens.
const (
	maxDescriptors      = 1024     // of a process
	maxTotalDescriptors = 16 << 10 // of all
)

// listening returns the sockets that workers have, or that this process has for them,
// by address. Where the kernel does not tell, it is the addresses alone that workers have
// reported.
func (g *Gatherer) listening(workers []supervisor.WorkerStatus) []Listen {
	all, ok := diagSockets()
	if !ok {
		return reported(workers)
	}
	dir, err := os.Getwd()
	if err != nil {
		dir = "/"
	}
	var list []Listen
	for _, s := range owned(all, workers) {
		if strings.HasPrefix(s.address, ownName) || s.path && s.address == g.Control {
			continue
		}
		if s.path && !filepath.IsAbs(s.address) { // the kernel has it as it was at bind
			s.address = filepath.Join(dir, s.address)
		}
		list = append(list, Listen{s.address, &s.queue, &s.backlog})
	}
	slices.SortStableFunc(list, func(a, b Listen) int { return cmp.Compare(a.Address, b.Address) })
	return list
}

// ownName is the beginning of the names of control sockets.
const ownName = "@nodeinit/"

// reported returns the addresses of sockets with a queue that workers have reported.
func reported(workers []supervisor.WorkerStatus) (list []Listen) {
	for _, w := range workers {
		for _, address := range w.Reported.Listening {
			same := func(l Listen) bool { return l.Address == address }
			if !strings.HasPrefix(address, "udp:") && !slices.ContainsFunc(list, same) {
				list = append(list, Listen{Address: address})
			}
		}
	}
	return list
}

// owned returns those of sockets that this process or a worker has open.
func owned(sockets []diagSocket, workers []supervisor.WorkerStatus) (list []diagSocket) {
	slices.SortFunc(sockets, func(a, b diagSocket) int { return cmp.Compare(a.inode, b.inode) })
	budget := maxTotalDescriptors
	take := func(pid int, still func() bool) {
		if len(sockets) == 0 || budget <= 0 {
			return
		}
		found := make(map[int]bool)
		budget -= socketsOf(pid, func(inode uint32) (more bool) {
			i, ok := slices.BinarySearchFunc(sockets, inode, func(s diagSocket, inode uint32) int { return cmp.Compare(s.inode, inode) })
			if ok {
				found[i] = true
			}
			return len(found) < len(sockets)
		})
		if len(found) == 0 || !still() {
			return
		}
		var rest []diagSocket
		for i, s := range sockets {
			if found[i] {
				list = append(list, s)
			} else {
				rest = append(rest, s)
			}
		}
		sockets = rest
	}
	take(os.Getpid(), func() bool { return true }) // mostly it has all
	for i := range workers {
		if w := &workers[i]; w.PID != 0 {
			// What was read is of the worker if it has its process ID afterwards.
			take(programOf(w), func() bool { _, ok := readWorker(w); return ok })
		}
	}
	return list
}

// socketsOf calls each with the inode of each socket among the first descriptors of a
// process, until it returns false, and returns how many descriptors were looked at.
func socketsOf(pid int, each func(inode uint32) (more bool)) (looked int) {
	dir, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0 // it has ended, or may not be looked at
	}
	defer unix.Close(dir)
	entries, target := make([]byte, 4<<10), make([]byte, 64)
	for looked < maxDescriptors {
		n, err := unix.ReadDirent(dir, entries)
		if err != nil || n <= 0 {
			return looked
		}
		_, _, names := unix.ParseDirent(entries[:n], -1, nil)
		for _, name := range names {
			looked++
			n, err := unix.Readlinkat(dir, name, target)
			if inode, ok := socketInode(target[:max(n, 0)]); err == nil && ok && !each(inode) {
				return looked
			}
		}
	}
	return looked
}

// socketInode returns the number in "socket:[123]" (fs/proc/fd.c, proc_fd_link).
func socketInode(target []byte) (uint32, bool) {
	number, ok := bytes.CutPrefix(target, []byte("socket:["))
	if number, ok = bytes.CutSuffix(number, []byte("]")); !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(string(number), 10, 32)
	return uint32(inode), err == nil
}
