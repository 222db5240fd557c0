package main

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/reaper"
)

// bindTimeout ends a wait for nothing: it is how long Node may take to start and bind.
const bindTimeout = 30 * time.Second

// bindScript has Node bind a port as a worker would, and pass the socket on.
const bindScript = `const s=require("net").createServer();` +
	`s.on("error",(e)=>process.send(e.errno,()=>process.exit()));` +
	`s.listen(JSON.parse(process.argv[1]),()=>process.send(0,s,()=>process.exit()))`

// bind has the program's own Node bind a port: its file may have a capability that
// nodeinit has not.
func (s *starter) bind(port cluster.PrivilegedPort) (int, error) {
	conn, end, err := channelPair()
	if err != nil {
		return -1, err
	}
	defer conn.Close()
	child, err := s.startBinder(port, end)
	if err != nil {
		return -1, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(bindTimeout)); err != nil {
		return -1, err
	}
	fd, err := receiveSocket(conn)
	_ = child.Signal(unix.SIGKILL, true) // it has done what it was for
	if err == nil {
		s.log.Info("port bound by node").Int("port", port.Port).
			Str("why", "nodeinit has no cap_net_bind_service (setcap), node has").Send()
	}
	return fd, err
}

// startBinder starts Node with the channel end, which it closes.
func (s *starter) startBinder(port cluster.PrivilegedPort, end int) (*reaper.Child, error) {
	defer unix.Close(end)
	program := s.plan.Program
	path, err := program.Find()
	if err != nil {
		return nil, err
	}
	argument := `{"host":` + string(logs.AppendString(nil, port.Host)) + // Node takes an empty one for none
		`,"port":` + strconv.Itoa(port.Port) + `,"ipv6Only":` + strconv.FormatBool(port.IPv6Only) +
		`,"backlog":` + strconv.Itoa(port.Backlog) + `,"exclusive":true}`
	at := node.ChannelFD(program.Join, s.inherited)
	env := slices.Clone(program.Env)
	env = append(env, "NODE_CHANNEL_FD="+strconv.Itoa(at), "NODE_CHANNEL_SERIALIZATION_MODE=json")
	command := exec.Command{
		Path: path, Argv: []string{program.Argv[0], "-e", bindScript, argument}, Env: env, Dir: program.Dir,
		Channel: end, ChannelAt: at, Inherited: s.inherited, Background: true, Credential: program.Credential,
	}
	return s.startChild(command)
}

// channelPair returns nodeinit's end of a channel, which waits in Go's poller, and the
// other.
func channelPair() (*os.File, int, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, -1, os.NewSyscallError("socketpair", err)
	}
	if err := unix.SetNonblock(ends[0], true); err != nil {
		return nil, -1, errors.Join(err, unix.Close(ends[0]), unix.Close(ends[1]))
	}
	return os.NewFile(uintptr(ends[0]), "channel"), ends[1], nil
}

// receiveSocket reads what bindScript sends: a socket, or the number of an error.
// EACCES stands for all else: it did not come to that.
func receiveSocket(conn *os.File) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, unix.EACCES
	}
	text, n, passed := make([]byte, 256), 0, -1
	waited := raw.Read(func(fd uintptr) bool {
		n, passed, err = cluster.Receive(int(fd), text)
		return err != unix.EAGAIN
	})
	if waited != nil || err != nil {
		return -1, unix.EACCES
	}
	if passed >= 0 {
		return passed, nil
	}
	if code, err := strconv.Atoi(string(bytes.TrimSpace(text[:n]))); err == nil && code < 0 {
		return -1, unix.Errno(-code)
	}
	return -1, unix.EACCES
}
