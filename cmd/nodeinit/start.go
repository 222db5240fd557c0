package main

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/plan"
	"github.com/nodeinit/nodeinit/reaper"
	"github.com/nodeinit/nodeinit/supervisor"
)

// A starter starts the processes of a run: the only place where that is done.
// Only the supervisor's goroutine may call its methods, but bind.
type starter struct {
	*run
	primary *cluster.Primary // nil: no process has a channel
	lastID  int              // the last cluster.worker.id
	input   *process         // has standard input; nil: none has
	learned *node.Program    // how workers are started without their wrapper; nil: not known

	mu sync.Mutex // held while a process is started, because bind starts one too
}

// start starts the next process of a slot, for [supervisor.Supervisor.Start].
func (s *starter) start(slot, workers int) (*supervisor.Worker, error) {
	if s.plan.Mode == plan.Fork {
		return s.startProcess(s.plan, node.Slot{Agent: s.plan.Agent, Alone: true, Messages: s.config.StopMessage != ""})
	}
	now := s.current.Plan(slot, workers, s.learned)
	s.lastID++
	return s.startProcess(now, node.Slot{
		ID: s.lastID, Slot: slot, Workers: workers, Agent: now.Agent, Alone: s.getsInput(slot),
		InstanceVar: string(s.config.InstanceVar),
	})
}

// getsInput reports whether the next worker of slot gets standard input. Where
// all start at once the terminal stays nodeinit's, so that ^C reaches all.
func (s *starter) getsInput(slot int) bool {
	return slot == 0 && s.input == nil && (s.plan.OneFirst || !isTerminal(unix.Stdin))
}

// startProcess starts the program of p as one process, with a channel if there is
// a primary.
func (s *starter) startProcess(p plan.Plan, as node.Slot) (_ *supervisor.Worker, err error) {
	program := &process{wrapper: p.Wrapped(), hasInput: as.Alone}
	w := &supervisor.Worker{Process: program, RSS: program.RSS, OldSpace: p.Heap.OldSpace, OnStop: program.stop}
	theirs := -1
	if s.primary != nil {
		channel, end, openErr := s.open(as) // no second err: the deferred function below is about the result
		if openErr != nil {
			return nil, openErr
		}
		defer unix.Close(end)
		theirs, w.Channel, w.ID = end, channel, channel.ID()
		if p.Program.Join == node.JoinLate {
			w.OnReport = program.joined.set
		}
		defer func() {
			if err != nil {
				channel.Release(true) // the sockets of the slot wait for the next attempt
			}
		}()
	}
	command, err := s.command(p, as, theirs)
	if err != nil {
		return nil, err
	}
	child, err := s.startPiped(command, as, program)
	if err != nil {
		return nil, err
	}
	program.follow(child, command.Env)
	w.PID = child.PID
	if as.Alone {
		s.input = program
		w.HasTerminal = func() bool { return exec.HasForeground(child.PID) } // it may get it later (fg)
	}
	w.OnRelease = func(bool) { s.release(w, program, p) }
	return w, nil
}

// open makes the channel of a process, and returns that process's end of it too.
func (s *starter) open(as node.Slot) (*cluster.Worker, int, error) {
	if s.plan.Mode == plan.PerCore {
		return s.primary.Open(as.Slot)
	}
	return s.primary.OpenFork()
}

// command returns what starts the program of p. channel is its end of the
// channel, -1 for none.
func (s *starter) command(p plan.Plan, as node.Slot, channel int) (exec.Command, error) {
	file, err := p.Program.Find()
	if err != nil {
		return exec.Command{}, withHint(err, p.Program.Argv)
	}
	s.log.Trace("program found").Str("file", logs.Truncate(file)).
		Str("env_added", logs.Truncate(p.AddedText())).Send()
	if channel < 0 {
		return exec.Command{Path: file, Argv: p.Program.Argv, Env: p.Program.Env, Dir: p.Program.Dir}, nil
	}
	return p.Program.Command(file, as, channel, s.inherited)
}

// startPiped starts command for a process, with pipes for those of its outputs that are
// not to be inherited.
func (s *starter) startPiped(command exec.Command, as node.Slot, program *process) (*reaper.Child, error) {
	pipes, err := s.streams.Open(s.plan.Logs.Piped())
	if err != nil {
		return nil, withoutPipes(err)
	}
	command.Stdout, command.Stderr = pipes.Stdout, pipes.Stderr
	if program.wrapper {
		program.outputs = outputFiles(pipes)
	}
	child, err := s.startChild(command)
	if err != nil {
		pipes.Close()
		return nil, err
	}
	worker := -1
	if as.ID > 0 {
		worker = as.Slot
	}
	pipes.Started(worker, child.PID)
	return child, nil
}

// withoutPipes says what the pipes were for, and where their number comes from.
func withoutPipes(err error) error {
	hint := ""
	if errors.Is(err, unix.EMFILE) {
		hint = " (raise docker run --ulimit nofile, or ulimit -n)"
	}
	return fmt.Errorf("make pipes for the program's output: %w%s", err, hint)
}

func (s *starter) startChild(command exec.Command) (*reaper.Child, error) {
	command.Threads = s.threads
	s.mu.Lock()
	defer s.mu.Unlock()
	child, err := command.Start(&s.reaper)
	if err == nil {
		s.makeThreads()
	}
	return child, err
}

// release gives up what w has besides its channel, when it has ended.
func (s *starter) release(w *supervisor.Worker, program *process, p plan.Plan) {
	if p.Mode == plan.PerCore && p.Program.Join == node.JoinLate {
		// A process that outlives its wrapper would serve without being watched.
		_ = program.SignalGroup(unix.SIGKILL)
	}
	if program.hasInput {
		exec.ReclaimForeground(w.PID) // it may have got the terminal later (fg)
		s.input = nil
	}
	program.joined.close()
}
