package admin

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

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

// checkClient refuses the client of a nodeinit that runs as user own.
func checkClient(client *unix.Ucred, own int) error {
	if client.Uid != 0 && client.Uid != uint32(own) || !inOwnNamespace(int(client.Pid)) {
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
	case !inOwnNamespace(int(listener.Pid)):
		return errors.New("a process of another PID namespace listens there")
	case own != 0 && listener.Uid != 0 && listener.Uid != uint32(own):
		return fmt.Errorf("it belongs to user %d, and this is user %d", listener.Uid, own)
	}
	return nil
}

// inOwnNamespace reports whether a process, by its ID in this PID namespace, is in that
// namespace itself: those in namespaces below have an ID here too. A container has one
// below that of the host.
func inOwnNamespace(pid int) bool {
	if pid <= 0 {
		return false
	}
	status, err := files.Read("/proc/"+strconv.Itoa(pid)+"/status", 8<<10)
	return err == nil && namespaces(string(status)) <= 1
}

// namespaces returns in how many PID namespaces, from that of /proc on down, a process has
// an ID, from the text of /proc/PID/status (proc(5), NSpid); 0: it does not say.
func namespaces(status string) int {
	_, ids, _ := strings.Cut(status, "\nNSpid:")
	ids, _, _ = strings.Cut(ids, "\n")
	return len(strings.Fields(ids))
}
