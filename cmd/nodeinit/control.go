package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/nodeinit/nodeinit/admin"
	"github.com/nodeinit/nodeinit/files"
	"github.com/nodeinit/nodeinit/supervisor"
)

// controlTimeout is how long the end of the container waits for the control socket: its
// file may be on a file system that does not answer.
const controlTimeout = 500 * time.Millisecond

// serveControl has s serve the control socket, as soon as the first worker was started,
// which is not to wait for it. Call stop on the same goroutine as s.Run, when that has
// returned.
func (st *starter) serveControl(ctx context.Context, s *supervisor.Supervisor) (stop func()) {
	if st.config.Control == admin.Off {
		return func() {}
	}
	server := st.controlServer(s)
	ctx, cancel := context.WithCancel(ctx)
	var ended chan struct{} // nil: not started
	start := s.Start
	s.Start = func(slot, workers int) (*supervisor.Worker, error) {
		w, err := start(slot, workers)
		if err == nil && ended == nil {
			ended = make(chan struct{})
			go func() {
				defer close(ended)
				st.servers.Guard(func() { server.Run(ctx) })
			}()
		}
		return w, err
	}
	return func() {
		cancel()
		if ended == nil {
			return
		}
		select {
		case <-ended:
		case <-time.After(controlTimeout):
		}
	}
}

// controlServer returns the server that answers for s.
func (st *starter) controlServer(s *supervisor.Supervisor) *admin.Server {
	return &admin.Server{
		Control: string(st.config.Control), Shared: &st.servers,
		Status: st.gatherer.AppendJSON,
		Health: func() (bool, string) {
			status, ok := st.status()
			if !ok {
				return false, "nodeinit itself does not answer"
			}
			return supervisor.Health(status, time.Now())
		},
		Reload:  func() admin.Operation { return s.Reload() },
		Scale:   func(workers int, force bool) admin.Operation { return s.Scale(workers, force) },
		Profile: func(p admin.Profile, socket int) (supervisor.Event, error) { return st.profile(s, p, socket) },
	}
}

// clientFlags adds the flags of the subcommands that speak to a running nodeinit.
func clientFlags(a *app, set *pflag.FlagSet) { set.Var(&a.pid, "pid", "") }

// A processID is the value of --pid; 0: it was not given.
type processID int

func (p *processID) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		return errors.New(strconv.Quote(text) + " is not a process ID (give that of a nodeinit)")
	}
	*p = processID(n)
	return nil
}

func (p *processID) String() string { return strconv.Itoa(int(*p)) }
func (p *processID) Type() string   { return "PID" }

// dial returns a client of the nodeinit that a is to speak to: that of --pid, that of
// --control before or after the subcommand, PID 1, or the only one that runs here. Call
// it after parse, which was given clientFlags.
func dial(a *app) (*admin.Client, error) {
	pid := int(a.pid)
	target := admin.Target{PID: pid, Control: string(a.config.Control)}
	if pid == 0 && a.config.Source(&a.config.Control) == a.config.Flag(&a.config.Control) && target.Control != admin.Auto {
		return admin.Dial(target)
	}
	pid = max(pid, 1)
	if r, ok := running(files.Dir("/proc"), pid, a.environ); ok {
		target = admin.Target{PID: pid, Control: string(r.config.Control)}
	}
	return admin.Dial(target)
}
