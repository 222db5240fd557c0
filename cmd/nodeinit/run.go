package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/reaper"
	"github.com/nodeinit/nodeinit/signals"
	"github.com/nodeinit/nodeinit/supervisor"
)

// primaryTimeout is how long the end of the container waits for the primary, which
// a file or socket of a worker may hold up.
const primaryTimeout = 3 * time.Second

// A run is one of the program, and of the commands that run before it.
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
	task     *task               // what ECS reported at the start
	affinity func() (int, error) // cgroup.Affinity
	warned   []string            // the warnings of the last plan
	want     func() int          // how many workers there are to be; nil or 0: as planned
}

// run runs argv, with the commands of --pre before it, and returns the status to
// exit with.
func (a *app) run(argv []string) int {
	inherited := exec.Inherited()
	log := a.openLog()
	defer log.Flush(flushTimeout)
	a.warnUnknown(log)
	for _, line := range a.config.neverComing(signals.Ignored) {
		log.Warn("a signal will not come").Str("warning", line).Send()
	}
	if err := a.becomeSubreaper(); err != nil {
		log.Warn("not a subreaper").Err(err).Send()
	}
	task := new(task)
	group, limits := a.liveLimits(os.DirFS("/"), task)
	p, err := a.makePlan(limits, argv)
	if err != nil {
		return a.usageError(err)
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

func (r *run) all(ctx context.Context) int {
	for _, command := range r.config.Pre {
		if code, ok := r.pre(command); !ok {
			return code
		}
	}
	end, err := r.program(ctx)
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
	s := r.supervisor(p)
	s.Rules = r.config.preRules()
	s.Start = func(int) (*supervisor.Worker, error) {
		starter := &starter{run: r}
		w, err := starter.startProcess(p, node.Slot{Alone: true})
		if err != nil {
			return nil, err
		}
		r.log.Info("running before the program").Int("pid", w.PID).Str("argv", logs.Clip(command.String())).Send()
		r.reap()
		return w, nil
	}
	end, err := s.Run()
	switch {
	case err != nil:
		return r.notStarted(r.log, err), false
	case end.Code() != 0 || end.Requested:
		return r.report(end, command.String()), false
	}
	return 0, true
}

// program runs the program: as one process, with a channel if it is to have the
// agent, or as workers. Descriptors that were passed in, and the working directory,
// are kept for the workers that replace the first ones.
func (r *run) program(ctx context.Context) (supervisor.Exit, error) {
	s := r.supervisor(r.plan)
	starter := &starter{run: r}
	r.configure(s)
	if r.plan.mode == "per-core" {
		r.configureWorkers(s)
		r.reap()
		s.Start = starter.start
		if r.plan.oneFirst {
			s.Grow, s.Listens = starter.grow, listens
		}
	} else {
		s.Start = func(slot int) (*supervisor.Worker, error) {
			w, err := starter.start(slot)
			if err != nil {
				return nil, err
			}
			r.log.Info("program started").Int("pid", w.PID).Send()
			exec.CloseInherited(r.inherited)
			r.reap()
			return w, nil
		}
		if !r.plan.agent {
			return s.Run()
		}
	}
	return starter.withPrimary(ctx, s)
}

// withPrimary runs s while the primary serves what it starts. An error of the
// primary is nodeinit's own: the workers have lost their channels and end, with 0.
func (st *starter) withPrimary(ctx context.Context, s *supervisor.Supervisor) (supervisor.Exit, error) {
	primary, err := cluster.New(cluster.Balance(st.plan.balance))
	if err != nil {
		return supervisor.Exit{}, err
	}
	if p := st.plan.program; p.Runtime == node.RuntimeNode && p.Join == node.JoinDirect {
		primary.BindPrivileged = st.bind
	}
	if s.PerCore && s.Ready.When != supervisor.ReadyNone { // what a worker is awaited to ask for stays open as long
		primary.ReopenTimeout = max(s.Ready.Timeout, config.DefaultReadyTimeout)
	}
	st.primary, s.Reports = primary, primary
	ctx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- primary.Run(ctx) }()
	end, err := s.Run()
	stop()
	select {
	case served := <-done: // the files of Unix sockets are removed
		return end, errors.Join(err, served)
	case <-time.After(primaryTimeout):
		st.log.Warn("the primary does not end").Send()
		return end, err
	}
}

// supervisor returns one for p, without what starts it.
func (r *run) supervisor(p plan) *supervisor.Supervisor {
	return &supervisor.Supervisor{
		Log: r.log, Signals: r.signals, Rules: r.config.rules(), Leftovers: &r.reaper,
		Group: bool(r.config.Group), Wrapped: p.wrapped(), Grace: r.config.grace(),
		ParentDeathSignal: r.config.Pdeathsig.sig(),
		Workers:           p.workers,
		Before:            r.before, Stats: r.group.Stats,
	}
}
