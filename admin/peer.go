package admin

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/files"
)

// peerOf returns the process at the other end of a connection, as it was when it called
// connect or listen (unix(7), SO_PEERCRED). A process that this PID namespace does not
// have in it has the ID 0: an abstract name belongs to the network namespace, which
// containers of a pod, and those with --network host, share (CVE-2020-15257).
func peerOf(fd int) (*unix.Ucred, error) {
	return unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
}

var errPeer = errors.New("only root and the user of nodeinit may use its control socket, and only from within its PID namespace")

// checkClient refuses the client of a nodeinit that runs as user own. It reads into buf,
// since it makes no garbage for clients that are refused.
func checkClient(client *unix.Ucred, own int, buf []byte) error {
	if client.Uid != 0 && client.Uid != uint32(own) || !inOwnNamespace(int(client.Pid), buf) {
		return errPeer
	}
	return nil
}

// checkListener refuses what listens at a control socket, for a client that runs as user
// own. pid is that of the nodeinit whose name it is, 0 for a path, which has none.
func checkListener(listener *unix.Ucred, pid, own int) error {
	switch {
	case pid != 0 && int(listener.Pid) != pid && listener.Pid > 0:
		return fmt.Errorf("process %d listens there in the place of process %d", listener.Pid, pid)
	case !inOwnNamespace(int(listener.Pid), make([]byte, 8<<10)):
		return errors.New("a process of another PID namespace listens there")
	case own != 0 && listener.Uid != 0 && listener.Uid != uint32(own):
		return fmt.Errorf("it belongs to user %d, and this is user %d", listener.Uid, own)
	}
	return nil
}

// inOwnNamespace reports whether a process, by its ID in this PID namespace, is in that
// namespace itself: those in namespaces below have an ID here too. A container has one
// below that of the host.
func inOwnNamespace(pid int, buf []byte) bool {
	if pid <= 0 {
		return false
	}
	f, err := files.Open("/proc/"+strconv.Itoa(pid)+"/status", 0)
	if err != nil {
		return false
	}
	defer f.Close()
	n, err := f.Read(buf) // the kernel makes the text at once, and gives what fits (fs/seq_file.c)
	return err == nil && aloneIn(buf[:n], n == len(buf))
}

// aloneIn reports whether the text of a /proc/PID/status says that its process has an ID in
// one PID namespace only, that of /proc, or whether this kernel does not tell. A process
// can have the line end behind what was read, by groups.
func aloneIn(status []byte, cut bool) bool {
	n := namespaces(status)
	return n == 1 || n == 0 && !cut
}

// namespaces returns in how many PID namespaces, from that of /proc on down, a process has
// an ID, from the beginning of /proc/PID/status (proc(5), NSpid); 0: there is no such line.
func namespaces(status []byte) int {
	_, ids, _ := bytes.Cut(status, []byte("\nNSpid:"))
	ids, _, whole := bytes.Cut(ids, []byte("\n"))
	if !whole {
		return 0
	}
	return len(bytes.Fields(ids))
}
