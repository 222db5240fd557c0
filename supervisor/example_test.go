package supervisor_test

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/supervisor"
)

// A Supervisor of one process, which exits when it gets SIGTERM.
func Example() {
	signals := make(chan unix.Signal, 1)
	s := supervisor.Supervisor{
		Log:       logs.New(io.Discard, logs.JSON, logs.LevelInfo, nil),
		Signals:   signals,
		Leftovers: nothing{},
		Start: func(slot, _ int) (*supervisor.Worker, error) {
			fmt.Println("started in slot", slot)
			signals <- unix.SIGTERM
			return &supervisor.Worker{PID: 7, Process: &process{exited: make(chan struct{})}}, nil
		},
	}
	end, err := s.Run()
	fmt.Println("status", end.Code(), "requested", end.Requested, "error", err)
	status, _ := s.Status()
	fmt.Println(status.State)
	// Output:
	// started in slot 0
	// terminated
	// status 143 requested true error <nil>
	// ended
}

// A process stands for one that was started: *reaper.Child is a real one.
type process struct {
	exited chan struct{}
	status unix.WaitStatus
}

func (p *process) Signal(sig unix.Signal, group bool) error {
	fmt.Println(sig)
	p.status = unix.WaitStatus(sig) // as wait4 returns it for a process that was killed by sig
	close(p.exited)
	return nil
}

func (p *process) Stopped(group bool) (bool, error) { return false, nil }
func (p *process) Exited() <-chan struct{}          { return p.exited }
func (p *process) Status() unix.WaitStatus          { return p.status }
func (p *process) MaxRSS() int64                    { return 0 }

// nothing is left behind by the process.
type nothing struct{}

func (nothing) SignalAll(unix.Signal) error { return nil }
func (nothing) ContinueAll()                {}
func (nothing) NoChildren() <-chan struct{} {
	closed := make(chan struct{})
	close(closed)
	return closed
}
