package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/nodeinit/nodeinit/supervisor"
)

// listens reports whether w has a TCP socket that listens. nodeinit's own do not
// count: a worker has none of these before it asks.
func listens(w *supervisor.Worker) bool {
	pid := w.Process.(*process).programPID()
	var inodes []string
	for _, table := range []string{"tcp", "tcp6"} {
		inodes = append(inodes, listeners(fmt.Sprintf("/proc/%d/net/%s", pid, table))...)
	}
	return len(inodes) > 0 && hasSocket(pid, inodes)
}

// listeners returns the inodes of listening sockets in a table of the kernel's, in
// which they come first (net/ipv4/tcp_ipv4.c, tcp4_seq_show).
func listeners(table string) (inodes []string) {
	const state, inode, listening = 3, 9, "0A"
	f, err := os.Open(table)
	if err != nil {
		return nil
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) <= inode || fields[0] == "sl":
		case fields[state] != listening:
			return inodes
		default:
			inodes = append(inodes, fields[inode])
		}
	}
	return inodes
}

// maxDescriptors is how many descriptors of a process are read.
const maxDescriptors = 1024

// hasSocket reports whether a process has a socket with one of inodes.
func hasSocket(pid int, inodes []string) bool {
	dir := fmt.Sprintf("/proc/%d/fd/", pid)
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	names, _ := f.Readdirnames(maxDescriptors)
	return slices.ContainsFunc(names, func(name string) bool {
		target, _ := os.Readlink(dir + name)
		inode, ok := strings.CutPrefix(target, "socket:[")
		return ok && slices.Contains(inodes, strings.TrimSuffix(inode, "]"))
	})
}
