package cluster

import (
	"errors"

	"golang.org/x/sys/unix"
)

// errTwoPrograms is why a channel is closed that two processes at once use.
var errTwoPrograms = errors.New("two programs of one command listen (try --mode fork, or a container for each)")

// A process is one that has joined late. Others have its channel open too, so
// that its end is not that of the channel.
type process struct {
	worker *Worker
	pid    int
	fd     int // a pidfd
	token  int32
}

// watchProcess watches for the end of the process that says it has pid.
func (w *Worker) watchProcess(pid int) {
	w.unwatchProcess()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return // Linux < 5.3, or it has ended: then npm will, and with it the worker
	}
	p := &process{worker: w, pid: pid, fd: fd}
	if p.token, err = w.primary.poller.add(fd, unix.EPOLLIN, p); err != nil {
		_ = unix.Close(fd)
		return
	}
	w.process = p
}

func (w *Worker) unwatchProcess() {
	if p := w.process; p != nil {
		w.primary.poller.remove(p.fd, p.token)
		_ = unix.Close(p.fd)
		w.process = nil
	}
}

// exited reports whether the process has exited, also before that is an event.
func (p *process) exited() bool {
	fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

// onEvents is called when the process has ended.
func (p *process) onEvents(uint32) {
	w := p.worker
	w.readRemaining() // what it wrote before; a new one may have come online in it
	if w.process != p {
		return
	}
	w.unwatchProcess()
	w.releaseServers()
	w.state.Servers = 0
	w.primary.publish(w)
}
