package admin

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/supervisor"
)

// Bounds on the descriptors that are looked through for sockets, and on the sockets that
// are shown. Those that listen are among the first that a process opens.
const (
	maxDescriptors      = 1024     // of a process
	maxTotalDescriptors = 16 << 10 // of all
	maxListen           = 512
)

// listening returns the sockets that workers have, or that this process has for them, by
// address. Where the kernel does not tell, it is the addresses alone that workers have
// reported.
func (g *Gatherer) listening(workers []supervisor.WorkerStatus) (list []Listen) {
	all, ok := diagSockets()
	if !ok {
		return reported(workers)
	}
	claimAll(all, workers)
	return g.listOf(all)
}

// claimAll finds out which sockets are of this process and of workers.
func claimAll(all []diagSocket, workers []supervisor.WorkerStatus) {
	own := os.Getpid()
	budget := maxTotalDescriptors - claim(all, own) // which mostly has all
	for i := range workers {
		if w := &workers[i]; w.PID != 0 && budget > 0 {
			pid := programOf(w)
			budget -= claim(all, pid)
			// What was read is of the worker if it has its process ID afterwards.
			if _, ok := readWorker(w); !ok {
				disclaim(all, pid)
			}
		}
	}
}

// listOf returns the sockets that have an owner, but those of nodeinit's own.
func (g *Gatherer) listOf(all []diagSocket) (list []Listen) {
	own := os.Getpid()
	for i := range all {
		s := &all[i]
		if s.owner != 0 && len(list) < maxListen && !(s.owner == own && g.isOwn(s)) {
			list = insert(list, Listen{s.absolute(), &s.queue, &s.backlog})
		}
	}
	return list
}

// isOwn reports whether a socket of this process is the control socket, or that of HTTP.
func (g *Gatherer) isOwn(s *diagSocket) bool {
	return uint64(s.inode) == g.ownSocket || s.path && s.address == g.Control || strings.HasPrefix(s.address, "@nodeinit/")
}

// absolute returns the address. The kernel has a path as it was when the socket was
// bound, which may have been from the working directory.
func (s *diagSocket) absolute() string {
	if dir, err := os.Getwd(); s.path && err == nil && !filepath.IsAbs(s.address) {
		return filepath.Join(dir, s.address)
	}
	return s.address
}

// insert adds l to a list that is sorted by address.
func insert(list []Listen, l Listen) []Listen {
	list = append(list, l)
	for i := len(list) - 1; i > 0 && list[i].Address < list[i-1].Address; i-- {
		list[i], list[i-1] = list[i-1], list[i]
	}
	return list
}

// reported returns the addresses of sockets with a queue that workers have reported.
func reported(workers []supervisor.WorkerStatus) (list []Listen) {
	seen := ""
	for i := range workers {
		for _, address := range workers[i].Reported.Listening {
			line := "\n" + address + "\n"
			if !strings.HasPrefix(address, "udp:") && !strings.Contains(seen, line) {
				list, seen = insert(list, Listen{Address: address}), seen+line
			}
		}
	}
	return list
}

// claim makes a process the owner of those sockets without one that are among its first
// descriptors, and returns how many descriptors it has looked at.
func claim(all []diagSocket, pid int) (looked int) {
	left := 0
	for i := range all {
		if all[i].owner == 0 {
			left++
		}
	}
	dir, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0 // it has ended, or may not be looked at
	}
	defer unix.Close(dir)
	entries, target := make([]byte, 4<<10), make([]byte, 64)
	for left > 0 && looked < maxDescriptors {
		n, err := unix.ReadDirent(dir, entries)
		if err != nil || n <= 0 {
			break
		}
		_, _, names := unix.ParseDirent(entries[:n], -1, nil)
		looked += len(names)
		for _, name := range names {
			n, err := unix.Readlinkat(dir, name, target)
			inode, ok := socketInode(target[:max(n, 0)])
			for i := range all {
				if s := &all[i]; err == nil && ok && s.inode == inode && s.owner == 0 {
					s.owner = pid
					left--
				}
			}
		}
	}
	return looked
}

func disclaim(all []diagSocket, pid int) {
	for i := range all {
		if all[i].owner == pid {
			all[i].owner = 0
		}
	}
}

// socketInode returns the number in "socket:[123]" (fs/proc/fd.c, proc_fd_link).
func socketInode(target []byte) (uint32, bool) {
	text := string(target)
	number := strings.TrimSuffix(strings.TrimPrefix(text, "socket:["), "]")
	inode, err := strconv.ParseUint(number, 10, 32)
	return uint32(inode), err == nil && len(number)+len("socket:[]") == len(text)
}
