package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/admin"
	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/config"
	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/plan"
	"github.com/nodeinit/nodeinit/reaper"
	"github.com/nodeinit/nodeinit/supervisor"
)

// primaryTimeout is how long the end of the container waits for the primary, which
// a file or socket of a worker may hold up.
const primaryTimeout = 3 * time.Second

// A run is one of the program, and of the commands that run before it.
type run struct {
	*app
	log       *logs.Logger
	streams   *logs.Streams // of children's outputs
	plan      plan.Plan
	started   time.Time    // of this process
	source    plan.Source  // of limits, as it was at the start: for the status document alone
	before    cgroup.Stats // from before the start
	inherited []int
	reaper    reaper.Reaper
	reap      func() // starts the reaper, once

	makeThreads func()     // begins to make all threads, once
	adjusting   sync.Mutex // held by adjustThreads

	servers     admin.Shared
	gatherer    *admin.Gatherer
	orphans     atomic.Int64                          // reaped
	supervising atomic.Pointer[supervisor.Supervisor] // of what runs now
	ofProgram   atomic.Pointer[supervisor.Supervisor] // nil: the program is not to be started yet
	primary     atomic.Pointer[cluster.Primary]       // nil: no process of the program has a channel

	current *plan.Current // plans for later workers; only the supervisor's goroutine uses it
}

// supervise runs argv, with the commands of --pre before it, and returns the status to
// exit with.
func (a *app) supervise(argv []string) int {
	started, inherited := time.Now(), exec.Inherited()
	log := a.openLog()
	defer log.Flush(flushTimeout)
	a.warnSettings(log)
	a.becomeSubreaper(log)
	source := a.limits()
	limits, before := source.Read(), source.Group.Baseline()
	p, err := plan.New(a.config, limits, ownOutputs(), a.identify(argv))
	if err != nil {
		return a.usageError(err)
	}
	p.Log(log, version)
	r := &run{
		app: a, log: log, streams: a.openStreams(log, p), plan: p, started: started, source: *source, before: before, inherited: inherited,
		current: plan.Follow(log, source, p),
	}
	if before.OOMGroup {
		log.Warn("memory.oom.group is set: the OOM killer will take nodeinit along, and no report will follow").Send()
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	r.reaper.OnOrphan = func(pid int, status unix.WaitStatus) {
		r.orphans.Add(1)
		a.orphanReaped(log, pid).Int("status", supervisor.Code(status)).Send()
	}
	r.reap = sync.OnceFunc(func() { go r.reaper.Run(ctx) })
	r.makeThreads = sync.OnceFunc(func() {
		time.AfterFunc(threadsDelay, func() {
			r.makeAllThreads()
			limitGarbage()
		})
	})
	r.gatherer = r.newGatherer()
	r.servers.Log = log
	r.servers.Trim = func() { _ = r.adjustThreads() } // those that are missing are no matter here
	stopHTTP, err := r.serveHTTP(ctx)
	if err != nil {
		return r.failed(err, exitInternal)
	}
	defer stopHTTP()
	for _, command := range p.Pre {
		if code, ok := r.pre(command); !ok {
			return code
		}
	}
	end, err := r.program(ctx)
	if err != nil {
		return r.notStarted(err)
	}
	return r.report(end, "")
}

// pre runs a command to its end. It reports whether to go on, and if not the
// status to exit with.
func (r *run) pre(command []string) (code int, ok bool) {
	p, text := r.plan.Command(command, exec.DropListenPID(r.environ)), strings.Join(command, " ")
	s := r.supervisor(p)
	s.Rules = r.config.PreRules()
	s.Start = func(_, _ int) (*supervisor.Worker, error) {
		starter := &starter{run: r}
		w, err := starter.startProcess(p, node.Slot{Alone: true})
		if err != nil {
			return nil, err
		}
		r.log.Info("running before the program").Int("pid", w.PID).Str("argv", logs.Truncate(text)).Send()
		r.reap()
		return w, nil
	}
	r.supervising.Store(s)
	end, err := s.Run()
	switch {
	case err != nil:
		return r.notStarted(err), false
	case end.Code() != 0 || end.Requested:
		return r.report(end, text), false
	}
	r.streams.Drain(flushTimeout) // what it has written comes before what the program writes
	return 0, true
}

// program runs the program: as one process, with a channel if it is to have the
// agent, or as workers. Descriptors that were passed in, and the working directory,
// are kept for the workers that replace the first ones.
func (r *run) program(ctx context.Context) (supervisor.Exit, error) {
	s := r.supervisor(r.plan)
	starter := &starter{run: r}
	r.configure(s)
	r.checkHealth(ctx, s)
	r.supervising.Store(s)
	r.ofProgram.Store(s)
	if s.PerCore {
		r.reap()
		s.Start = starter.start
		if r.plan.OneFirst {
			s.Grow, s.Listens = starter.grow, listens
		}
	} else {
		s.Start = func(slot, workers int) (*supervisor.Worker, error) {
			w, err := starter.start(slot, workers)
			if err != nil {
				return nil, err
			}
			r.log.Info("program started").Int("pid", w.PID).Send()
			exec.CloseInherited(r.inherited)
			r.reap()
			return w, nil
		}
	}
	defer starter.serveControl(ctx, s)()
	if !s.PerCore && !r.plan.Agent {
		return s.Run()
	}
	return starter.withPrimary(ctx, s)
}

// withPrimary runs s while the primary serves what it starts. An error of the
// primary is nodeinit's own: the workers have lost their channels and end, with 0.
func (st *starter) withPrimary(ctx context.Context, s *supervisor.Supervisor) (supervisor.Exit, error) {
	primary, err := cluster.New(cluster.Balance(st.plan.Balance))
	if err != nil {
		return supervisor.Exit{}, err
	}
	if p := st.plan.Program; p.Runtime == node.RuntimeNode && p.Join == node.JoinDirect {
		primary.BindPrivileged = st.bind
	}
	if s.PerCore && s.Ready.When != supervisor.ReadyNone { // what a worker is awaited to ask for stays open as long
		primary.ReopenTimeout = max(s.Ready.Timeout, config.DefaultReadyTimeout)
	}
	st.primary, s.Reports = primary, primary
	st.run.primary.Store(primary)
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
func (r *run) supervisor(p plan.Plan) *supervisor.Supervisor {
	return &supervisor.Supervisor{
		Log: r.log, Signals: r.signals, Rules: r.config.Rules(), Leftovers: &r.reaper,
		Group: bool(r.config.Group), Wrapped: p.Wrapped(),
		Stop:              supervisor.StopPolicy{Grace: time.Duration(r.config.Grace)},
		ParentDeathSignal: r.config.Pdeathsig.Sig(),
		Workers:           p.Workers,
		Before:            r.before, Stats: r.group.Stats,
	}
}

// configure sets what the user has set for the program.
func (r *run) configure(s *supervisor.Supervisor) {
	c := r.config
	s.Ready = supervisor.Readiness{When: supervisor.ReadyWhen(c.Ready), Timeout: time.Duration(c.ReadyTimeout)}
	s.Stop.Delay, s.Stop.Message = time.Duration(c.DrainDelay), string(c.StopMessage)
	s.ReloadSignal = c.ReloadSignal.Sig()
	switch {
	case c.StopOrder != "auto":
		s.Stop.Order = supervisor.StopOrder(c.StopOrder)
	case r.plan.Program.Single: // nothing reports what it handles, and the protocol's disconnect is no loss
		s.Stop.Order = supervisor.DrainFirst
	}
	if r.plan.Agent {
		s.Health.HangTimeout = time.Duration(c.HangTimeout)
	}
	if r.plan.Mode == plan.Fork {
		return
	}
	s.PerCore = true
	s.Allowed = r.current.Target
	s.Crashes = supervisor.CrashPolicy{Max: int(c.MaxCrashes), Window: time.Duration(c.CrashWindow)}
	s.Recycle.MaxAge = time.Duration(c.MaxAge)
	if r.plan.MaxMemory > 0 {
		s.Recycle.MaxMemory = r.current.MaxMemory
	}
	if r.plan.Count.FromLimits && bool(c.Resize) {
		s.Target = r.current.Target
	}
}

// becomeSubreaper makes orphans among the descendants come to this process where it
// is not PID 1, and sets the signal for the end of its own parent.
func (a *app) becomeSubreaper(log *logs.Logger) {
	var err error
	if sig := a.config.Pdeathsig.Sig(); sig != 0 {
		if err = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(sig), 0, 0, 0); err != nil {
			err = fmt.Errorf("--pdeathsig: %w", err)
		}
	}
	if err == nil && os.Getpid() != 1 && bool(a.config.Subreaper) {
		err = os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	}
	if err != nil {
		log.Warn("not a subreaper").Err(err).Send()
	}
}
