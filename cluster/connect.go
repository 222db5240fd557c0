package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxOwn is how many connections of nodeinit's own a worker may have that it has not
	// taken.
	maxOwn = 2
	// ownHandle is the number of their descriptors for acks.trackHandle.
	ownHandle = math.MinInt64
	// connectTimeout is how long the kernel may take to connect a pair, and Run's goroutine
	// to pass it on.
	connectTimeout = time.Second
	// maxStrangers is how many connections of others may come before one's own.
	maxStrangers = 64
)

// ErrNoConnection is that nodeinit itself can make no connection: it has no descriptors left,
// for example. It says nothing about the worker.
var ErrNoConnection = errors.New("nodeinit can make no connection")

// ErrNoAgent is that a program in fork mode has no agent to take a connection.
var ErrNoAgent = errors.New("the program has no agent of nodeinit")

// Connect gives a worker a TCP connection from 127.0.0.1, as one that a client has made to
// its server on port; 0: to its first TCP server. It returns the client's end, which has
// O_NONBLOCK and is closed on exec. The worker must have asked nodeinit for the server, or
// in fork mode have an agent: there is [ErrNoAgent] otherwise.
//
// The connection has no part in the balance and is not counted. Nobody else gets it where
// the worker refuses it: then it ends. A worker that drains still takes it. Where it has
// not taken two such connections, or does not read its channel, there is an error: that
// tells of a process that hangs. Any other than [ErrNoConnection] is about the worker.
func (p *Primary) Connect(id int64, port int) (fd int, err error) {
	client, server, err := loopbackPair(&p.connecting)
	if err != nil {
		return -1, fmt.Errorf("%w to 127.0.0.1: %w", ErrNoConnection, err)
	}
	passed := make(chan error, 1)
	posted := p.inbox.post(func() {
		passed <- passOwn(workerByID(p.workers, id), port, server)
		closeFD(server)
	})
	err = errEnded
	switch {
	case posted:
		timeout := time.NewTimer(connectTimeout)
		defer timeout.Stop()
		select {
		case err = <-passed:
		case <-timeout.C:
			err = fmt.Errorf("%w: %w", ErrNoConnection, unix.ETIMEDOUT)
		}
	default:
		closeFD(server)
	}
	if err != nil {
		closeFD(client)
		return -1, err
	}
	return client, nil
}

var (
	errEnded      = errors.New("nodeinit ends")
	errGone       = errors.New("the worker has exited")
	errNotTaken   = errors.New("it has not taken the last connections from nodeinit: does its event loop hang?")
	errNotReading = errors.New("it does not read its channel: does its event loop hang?")
)

// loopbackPair returns the ends of a TCP connection within this network namespace. There
// is one call at a time: each thread in a system call may be one more (see package threads).
func loopbackPair(one *sync.Mutex) (client, server int, err error) {
	one.Lock()
	defer one.Unlock()
	q := query{fd: -1, address: "127.0.0.1", backlog: 1}
	fd, err := q.listenTCP(exclusive)
	if err != nil {
		return -1, -1, err
	}
	listener := os.NewFile(uintptr(fd), "loopback")
	defer listener.Close()
	name := nameOf(fd)
	if name == nil {
		return -1, -1, unix.EIO
	}
	client, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, -1, err
	}
	err = unix.Connect(client, &unix.SockaddrInet4{Port: name.Port, Addr: [4]byte{127, 0, 0, 1}})
	if err == nil || err == unix.EINPROGRESS {
		server, err = acceptFrom(listener, nameOf(client))
	}
	if err != nil {
		closeFD(client)
		return -1, -1, err
	}
	return client, server, nil
}

// acceptFrom accepts the connection of one client. Another process may have connected
// before: that connection is closed.
func acceptFrom(listener *os.File, client *sockname) (server int, err error) {
	conn, err := listener.SyscallConn()
	if err == nil {
		err = listener.SetReadDeadline(time.Now().Add(connectTimeout))
	}
	if client == nil || err != nil {
		return -1, cmp.Or(err, error(unix.EIO))
	}
	waited := conn.Read(func(fd uintptr) bool {
		for range maxStrangers {
			server, err = accept(int(fd))
			switch {
			case err == nil:
				if peer := peerOf(server); peer != nil && *peer == *client {
					return true
				}
				closeConnection(server)
				err = unix.EADDRINUSE
			case !connectionGone(err):
				return err != unix.EAGAIN
			}
		}
		return true
	})
	return server, cmp.Or(waited, err)
}

func workerByID(workers map[*Worker]struct{}, id int64) *Worker {
	for w := range workers {
		if w.id == id {
			return w
		}
	}
	return nil
}

// passOwn passes one of nodeinit's own connections to a worker; nil: it has exited.
func passOwn(w *Worker, port, fd int) error {
	if w == nil {
		return errGone
	}
	message, err := ownMessage(w, port)
	switch {
	case err != nil:
		return err
	case w.channel.closed():
		return errGone
	case w.acks.own() >= maxOwn:
		return errNotTaken
	case !w.channel.idle() || !w.channel.sendNow(message, fd):
		return errNotReading
	}
	w.acks.trackHandle(ownHandle)
	return nil
}

// ownMessage returns the frame for a connection to the server on port: newconn where the
// worker has the server's key, or else a message to the agent, which finds the server by
// its port. The agent knows those in fork mode, and what has stopped listening to drain.
func ownMessage(w *Worker, port int) ([]byte, error) {
	s := serverOn(w.servers, port)
	switch {
	case s != nil && string(s.data) != "null" && len(s.data) > 0: // ticket keys: lib/_tls_wrap.js, _getServerData
		return nil, fmt.Errorf("its server on port %d speaks TLS", s.name.Port)
	case s != nil:
		w.seq++
		return appendConnection(nil, s.key, w.seq-1, `,"own":true`), nil
	case w.forkMode && !w.state.Agent:
		return nil, ErrNoAgent
	case w.forkMode && w.state.listensOn(port), !w.forkMode && w.state.Agent && w.draining:
		return fmt.Appendf(nil, msgConnection, port), nil
	case port == 0:
		return nil, errors.New("it has no TCP server")
	default:
		return nil, fmt.Errorf("it has no server on port %d", port)
	}
}

// serverOn returns the server of a worker with that port, 0 for any: of several the one
// that was made first.
func serverOn(servers map[string]*server, port int) (first *server) {
	for _, s := range servers {
		isOn := s.query.family == tcp && s.name != nil && (port == 0 || s.name.Port == port)
		if isOn && (first == nil || len(s.key) < len(first.key) || len(s.key) == len(first.key) && s.key < first.key) {
			first = s
		}
	}
	return first
}

// listensOn reports whether a process in fork mode has a TCP server on port; 0: on any.
func (s *State) listensOn(port int) bool {
	return slices.ContainsFunc(s.Listening, func(address string) bool {
		colon := strings.LastIndexByte(address, ':')
		return colon > 0 && address[0] != '/' && address[0] != '@' && (port == 0 || address[colon+1:] == strconv.Itoa(port))
	})
}
