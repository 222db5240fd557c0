package cluster

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// maxFormer is how many former sockets a listener may have.
const maxFormer = 8

// A socket listens.
type socket struct {
	fd    int         // -1: none
	token int32       // 0: not polled
	file  *socketFile // of a Unix socket, nil if there is none
}

// A listener is the socket of a server that all slots share, with those that it had
// before: where the file of a Unix socket was removed, what had connected waits in the
// former socket.
type listener struct {
	socket
	poller    *poller
	inherited bool     // other processes have the socket too
	former    []socket // oldest first
}

// replace makes next the socket. The one so far is served first; see accept.
func (l *listener) replace(next socket) {
	if l.fd >= 0 {
		l.former = append(l.former, l.socket)
	}
	l.socket = next
	if len(l.former) > maxFormer {
		l.closeFormer(0)
	}
}

// accept accepts a connection, of the oldest socket that has one. A former socket
// whose file has no name is closed when it has none: a client that has just found the
// file looks up the path again then (net/unix/af_unix.c, unix_stream_connect).
func (l *listener) accept() (int, error) {
	for i := 0; i < len(l.former); {
		fd, err := accept(l.former[i].fd)
		switch {
		case !errors.Is(err, unix.EAGAIN):
			return fd, err
		case l.former[i].file.linked(): // it was renamed
			i++
		default:
			l.closeFormer(i)
		}
	}
	if l.inherited {
		return acceptInherited(l.fd)
	}
	return accept(l.fd)
}

// closeFormer closes a former socket. Its path is not its own any more.
func (l *listener) closeFormer(i int) {
	f := l.former[i]
	l.former = slices.Delete(l.former, i, i+1)
	l.poller.remove(f.fd, f.token)
	_ = unix.Close(f.fd)
	f.file.close()
}

// close closes all sockets and removes the file of the current one.
func (l *listener) close() {
	for len(l.former) > 0 {
		l.closeFormer(0)
	}
	if l.fd < 0 {
		return
	}
	if l.token != 0 {
		l.poller.remove(l.fd, l.token)
	}
	_ = unix.Close(l.fd)
	l.file.remove()
	l.socket = socket{fd: -1}
}
