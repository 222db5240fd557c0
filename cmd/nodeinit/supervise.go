package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/reaper"
	"github.com/nodeinit/nodeinit/signals"
	"github.com/nodeinit/nodeinit/supervisor"
)

// flushPatience is how long a stalled stdout may hold up the exit, once before
// the last line and once after it.
const flushPatience = 500 * time.Millisecond

// terminationLog is where Kubernetes reads why a container ended
// (terminationMessagePath).
const terminationLog = "/dev/termination-log"

// supervise runs argv and returns the status to exit with.
func (a *app) supervise(argv []string) int {
	inherited := exec.Inherited()
	log := a.openLog()
	defer log.Flush(flushPatience)
	a.warnUnknown(log)
	for _, line := range a.config.neverComing(signals.Ignored) {
		log.Warn("a signal will not come").Str("warning", line).Send()
	}
	if err := a.adopt(); err != nil {
		log.Warn("not a subreaper").Err(err).Send()
	}
	task := new(task)
	group, limits := a.liveLimits(os.DirFS("/"), task)
	p, err := a.makePlan(limits, argv)
	if err != nil {
		return a.misused(err)
	}
	p.log(log)
	before := group.Stats()
	if before.OOMGroup {
		log.Warn("memory.oom.group is set: the OOM killer will take nodeinit along, and no report will follow").Send()
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	r := &run{
		app: a, log: log, plan: p, group: group, before: before, inherited: inherited,
		limits: limits, task: task, affinity: cgroup.Affinity, warned: p.warnings,
	}
	r.reaper.OnOrphan = func(pid int, status unix.WaitStatus) {
		a.orphanReaped(log, pid).Int("status", supervisor.Code(status)).Send()
	}
	r.reap = sync.OnceFunc(func() { go r.reaper.Run(ctx) })
	return r.all(ctx)
}

// A run is one of the program, and of what is to run before it.
type run struct {
	*app
	log       *logs.Logger
	plan      plan
	group     *cgroup.Group
	before    cgroup.Stats // from before the start
	inherited []int
	reaper    reaper.Reaper
	reap      func() // starts the reaper, once

	limits   cgroup.Limits       // as last read; only the supervisor's goroutine uses them
	task     *task               // what ECS told at the start
	affinity func() (int, error) // cgroup.Affinity
	warned   []string            // what the last plan warned of
	want     func() int          // how many workers there are to be; nil or 0: as planned
}

func (r *run) all(ctx context.Context) int {
	for _, command := range r.config.Pre {
		if code, ok := r.pre(command); !ok {
			return code
		}
	}
	program := r.program
	if r.plan.mode == "per-core" {
		program = r.workers
	}
	end, err := program(ctx)
	if err != nil {
		return r.notStarted(r.log, err)
	}
	return r.report(end, "")
}

// pre runs a command to its end. It reports whether to go on, and if not the
// status to exit with.
func (r *run) pre(command command) (code int, ok bool) {
	p := r.plan
	p.program = node.Program{Argv: command, Env: exec.DropListenPID(r.environ)}
	p.workers, p.envAdded, p.oldSpace, p.othersHeap, p.agent = 1, nil, 0, 0, false
	r.sizeHeap(&p)
	pid := 0
	s := r.supervisor(p)
	s.Rules = r.config.preRules()
	s.Start = func(int) (supervisor.Worker, error) {
		child, err := r.start(p)
		if err != nil {
			return nil, err
		}
		pid = child.PID
		r.log.Info("running before the program").Int("pid", pid).Str("argv", logs.Truncate(command.String())).Send()
		r.reap()
		return supervisor.OnTerminal{Child: child, Heap: p.oldSpace}, nil
	}
	end, err := s.Run()
	if pid != 0 {
		exec.ReclaimForeground(pid) // for the next one
	}
	switch {
	case err != nil:
		return r.notStarted(r.log, err), false
	case end.Code() != 0 || end.Requested:
		return r.report(end, command.String()), false
	}
	return 0, true
}

// program runs the program as one process, with a channel if it is to have the
// agent.
func (r *run) program(ctx context.Context) (supervisor.Exit, error) {
	if !r.plan.agent {
		return r.asOne(func(int) (supervisor.Worker, error) {
			child, err := r.start(r.plan)
			if err != nil {
				return nil, err
			}
			return r.started(child), nil
		}, nil)
	}
	fleet, err := newFleet(r)
	if err != nil {
		return supervisor.Exit{}, err
	}
	return fleet.serving(ctx, func() (supervisor.Exit, error) { return r.asOne(fleet.startSingle, fleet.changes) })
}

// asOne runs the program in fork mode.
func (r *run) asOne(start func(int) (supervisor.Worker, error), changes chan supervisor.Report) (supervisor.Exit, error) {
	pid := 0
	s := r.supervisor(r.plan)
	r.tend(s)
	s.Reports = changes
	s.Start = func(slot int) (supervisor.Worker, error) {
		w, err := start(slot)
		if err != nil {
			return nil, err
		}
		pid = w.PID()
		r.log.Info("program started").Int("pid", pid).Send()
		exec.CloseInherited(r.inherited)
		r.reap()
		return w, nil
	}
	end, err := s.Run()
	if pid != 0 {
		exec.ReclaimForeground(pid)
	}
	return end, err
}

// started returns the program that child is or, behind a wrapper, is to start.
func (r *run) started(child *reaper.Child) supervisor.Worker {
	program := supervisor.OnTerminal{Child: child, Heap: r.plan.oldSpace}
	if r.plan.program.Wrapped {
		return wrappedProgram{program, wrap(program, child, nil)}
	}
	return program
}

// workers runs the program as workers. Descriptors that were passed in, and the
// working directory, are kept for those that replace the first.
func (r *run) workers(ctx context.Context) (supervisor.Exit, error) {
	fleet, err := newFleet(r)
	if err != nil {
		return supervisor.Exit{}, err
	}
	r.reap()
	s := r.supervisor(r.plan)
	r.tendWorkers(s)
	s.Start, s.Reports = fleet.start, fleet.changes
	if r.plan.oneFirst {
		s.Grow, s.Listens = fleet.grow, listens
	}
	if s.Ready != supervisor.ReadyNone { // what a worker is awaited to ask for stays open as long
		fleet.primary.ReopenTimeout = max(s.ReadyTimeout, supervisor.DefaultReadyTimeout)
	}
	return fleet.serving(ctx, s.Run)
}

// supervisor returns one for p, which is to be told how to start it, and runs it
// plainly.
func (r *run) supervisor(p plan) *supervisor.Supervisor {
	return &supervisor.Supervisor{
		Log: r.log, Signals: r.signals, Rules: r.config.rules(), Leftovers: &r.reaper,
		Group: bool(r.config.Group), Wrapped: p.wrapped(), Grace: r.config.grace(),
		ParentDeathSignal: r.config.Pdeathsig.sig(),
		Workers:           p.workers,
		Before:            r.before, Stats: r.group.Stats,
	}
}

// report writes the last line and returns the status to exit with. pre is the
// command that ended it all, if it was one that runs before.
func (r *run) report(end supervisor.Exit, pre string) int {
	code := r.config.remapped(end.Code())
	after := r.group.Stats()
	report(r.log, end.Crashed(), func(line *zerolog.Event) *zerolog.Event {
		line = end.Report(line, r.before, after)
		if pre != "" {
			line = line.Str("pre", logs.Truncate(pre))
		}
		return exitStatus(line, end.Code(), code)
	})
	return code
}

// start starts the program of p as one process.
func (r *run) start(p plan) (*reaper.Child, error) {
	file, err := find(r.log, p)
	if err != nil {
		return nil, err
	}
	command := exec.Command{Path: file, Argv: p.program.Argv, Env: p.program.Env, Dir: p.program.Dir, Threads: r.threads}
	return command.Start(&r.reaper)
}

// find returns the file of the program.
func find(log *logs.Logger, p plan) (string, error) {
	file, err := p.program.Find()
	if err != nil {
		return "", err
	}
	log.Trace("program found").Str("file", logs.Truncate(file)).Str("env_added", logs.Truncate(strings.Join(p.envAdded, " "))).Send()
	return file, nil
}

// notStarted tells the user, on stderr, and whoever reads the logs.
func (a *app) notStarted(log *logs.Logger, err error) int {
	would := exec.ExitCode(err)
	code := a.config.remapped(would)
	a.tell(err)
	report(log, true, func(line *zerolog.Event) *zerolog.Event {
		line = line.Str("cause", "not_started").Int("status", would).Str("error", logs.Truncate(err.Error()))
		return exitStatus(line, would, code)
	})
	return code
}

// exitStatus adds code to line if --remap-exit made it of what it would be.
func exitStatus(line *zerolog.Event, would, code int) *zerolog.Event {
	if code == would {
		return line
	}
	return line.Int("exit_status", code)
}

// adopt makes orphans among the descendants come to this process where it is
// not PID 1, and sets the signal for the end of its own parent.
func (a *app) adopt() error {
	if sig := a.config.Pdeathsig.sig(); sig != 0 {
		if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(sig), 0, 0, 0); err != nil {
			return fmt.Errorf("--pdeathsig: %w", err)
		}
	}
	if os.Getpid() == 1 || !a.config.Subreaper {
		return nil
	}
	return os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
}
