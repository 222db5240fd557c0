package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/reaper"
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
	if err := a.adopt(); err != nil {
		log.Warn("not a subreaper").Err(err).Send()
	}
	group, limits := a.liveLimits(os.DirFS("/"))
	p := a.makePlan(limits, argv)
	p.log(log)
	before := group.Stats()
	if before.OOMGroup {
		log.Warn("memory.oom.group is set: the OOM killer will take nodeinit along, and no report will follow").Send()
	}

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	r := &reaper.Reaper{OnOrphan: func(pid int, status unix.WaitStatus) {
		a.orphanReaped(log, pid).Int("status", supervisor.Code(status)).Send()
	}}
	child, err := start(log, p, r)
	if err != nil {
		return a.notStarted(log, err)
	}
	log.Info("program started").Int("pid", child.PID).Send()
	exec.Leave(inherited)
	// An init needs no parallelism, and once set by hand the number is not read
	// from the cgroup again and again by Go's runtime. Only now: it takes a while.
	runtime.GOMAXPROCS(1)
	go r.Run(ctx)
	s := supervisor.Supervisor{
		Log: log, Signals: a.signals, Rules: a.config.rules(), Rest: r,
		Group: bool(a.config.Group), Grace: a.config.grace(),
		Parental: a.config.Pdeathsig.sig(),
	}
	end := s.Run(supervisor.OnTerminal{Child: child})
	exec.ReclaimForeground(child.PID)

	code := a.config.remapped(end.Code())
	after := group.Stats()
	report(log, end.Crashed(), func(line *zerolog.Event) *zerolog.Event {
		return exitStatus(end.Report(line, before, after, p.oldSpace), end.Code(), code)
	})
	return code
}

func start(log *logs.Logger, p plan, r *reaper.Reaper) (*reaper.Child, error) {
	path := exec.Lookup(p.env, "PATH")
	if path == "" {
		path = "/bin:/usr/bin" // execvp(3)
	}
	file, err := exec.Find(p.argv[0], path)
	if err != nil {
		return nil, err
	}
	log.Trace("program found").Str("file", logs.Clip(file)).Str("env_added", logs.Clip(strings.Join(p.envAdded, " "))).Send()
	return exec.Command{Path: file, Argv: p.argv, Env: p.env}.Start(r)
}

// notStarted tells the user, on stderr, and whoever reads the logs.
func (a *app) notStarted(log *logs.Logger, err error) int {
	would := exec.ExitCode(err)
	code := a.config.remapped(would)
	a.tell(err)
	report(log, true, func(line *zerolog.Event) *zerolog.Event {
		line = line.Str("cause", "not_started").Int("status", would).Str("error", logs.Clip(err.Error()))
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
