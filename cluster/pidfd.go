package cluster

import (
	"errors"

	"golang.org/x/sys/unix"
)

// errTwoPrograms closes a channel that two processes use at the same time.
var errTwoPrograms = errors.New("two programs of one command listen (try --mode fork, or a container for each)")

// A process is one that joined late. Its parents have the channel open too, so its
// exit does not close the channel: a pidfd reports it.
type process struct {
	worker *Worker
	pid    int
	fd     int
	token  int32
}

// watchProcess returns the process with ID pid, nil if it cannot be watched: before
// Linux 5.3, or if it has exited. Then the exit of its parents ends the worker.
func watchProcess(w *Worker, pid int) *process {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil
	}
	p := &process{worker: w, pid: pid, fd: fd}
	if p.token, err = w.primary.poller.add(fd, unix.EPOLLIN, p); err != nil {
		_ = unix.Close(fd)
		return nil
	}
	return p
}

// close stops watching. It may be called on nil.
func (p *process) close() {
	if p != nil {
		p.worker.primary.poller.remove(p.fd, p.token)
		_ = unix.Close(p.fd)
	}
}

// exited reports whether the process has exited, also before onEvents is called.
func (p *process) exited() bool {
	fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

// onEvents is called when the process has exited.
func (p *process) onEvents(uint32) {
	w := p.worker
	w.channel.receiveRemaining() // this may be the online of the next process
	if w.process != p {
		return
	}
	w.process = nil
	p.close()
	w.releaseServers()
	w.state.Servers = 0
	w.publish()
}
