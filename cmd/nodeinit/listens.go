package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/nodeinit/nodeinit/supervisor"
)

// listens reports whether w has a TCP socket that listens. nodeinit's own do not
// count: a worker has none of these before it asks.
func listens(w *supervisor.Worker) bool {
	pid := w.Process.(*process).programPID()
	var inodes map[string]bool
	for _, table := range []string{"tcp", "tcp6"} {
		for _, inode := range listeners(fmt.Sprintf("/proc/%d/net/%s", pid, table)) {
			if inodes == nil {
				inodes = socketsOf(pid)
			}
			if inodes[inode] {
				return true
			}
		}
	}
	return false
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

// socketsOf returns the inodes of the sockets that a process has.
func socketsOf(pid int) map[string]bool {
	dir := fmt.Sprintf("/proc/%d/fd/", pid)
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(maxDescriptors)
	sockets := make(map[string]bool, len(names))
	for _, name := range names {
		if _, err := strconv.Atoi(name); err != nil {
			continue
		}
		target, err := os.Readlink(dir + name)
		if inode, ok := strings.CutPrefix(target, "socket:["); err == nil && ok {
			sockets[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return sockets
}

// maxDescriptors is how many descriptors of a process are read.
const maxDescriptors = 1024
