package admin

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
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
	if client.Pid <= 0 || client.Uid != 0 && client.Uid != uint32(own) {
		return errPeer
	}
	return nil
}

// checkListener refuses what listens at a control socket, for a client that runs as user
// own. pid is that of the nodeinit whose name it is, 0 for a path, which has none.
func checkListener(listener *unix.Ucred, pid, own int) error {
	switch {
	case listener.Pid <= 0:
		return errors.New("a process of another PID namespace listens there")
	case pid != 0 && int(listener.Pid) != pid:
		return fmt.Errorf("process %d listens there in the place of process %d", listener.Pid, pid)
	case own != 0 && listener.Uid != 0 && listener.Uid != uint32(own):
		return fmt.Errorf("it belongs to user %d, and this is user %d", listener.Uid, own)
	}
	return nil
}
