package main

import (
	"fmt"
	"time"

	"github.com/nodeinit/nodeinit/signals"
	"github.com/nodeinit/nodeinit/supervisor"
)

// A config is all that a user can set. Each field declares a flag and its
// environment variable at once: STOP_SIGNAL is NODEINIT_STOP_SIGNAL and
// --stop-signal. The other tags: short, the one-letter flag; arg, what stands
// for the value in --help; help, the line there; group, where --help names
// several flags in one line instead. A []T takes several, repeated as flags,
// separated by commas in the environment.
type config struct {
	Mode        mode              `env:"MODE" arg:"auto|fork|per-core" help:"one process, or one worker per CPU"`
	Workers     workers           `env:"WORKERS" arg:"auto|max|N" help:"how many workers; auto: by the limits"`
	Balance     balance           `env:"BALANCE" arg:"HOW" help:"rr, shared, reuseport or ip-hash"`
	Pre         []command         `env:"PRE" arg:"CMD" help:"run this once before, a migration for example"`
	MaxCrashes  number            `env:"MAX_CRASHES" arg:"N" help:"crashed workers to replace; then exit"`
	CrashWindow duration          `env:"CRASH_WINDOW" arg:"D" help:"within which time they are counted"`
	CPUs        cpus              `env:"CPUS" arg:"N" help:"CPUs there are, whatever the cgroup says"`
	Memory      size              `env:"MEMORY" arg:"SIZE" help:"memory there is, whatever the cgroup says"`
	Heap        heap              `env:"HEAP" arg:"auto|off|SIZE" help:"Node's old space; auto: from the memory limit"`
	Grace       duration          `env:"GRACE" arg:"D" help:"from the stop signal to SIGKILL; 0: for ever"`
	StopSignal  stopSignal        `env:"STOP_SIGNAL" arg:"SIG" help:"what the program gets to stop; else what came"`
	LogFormat   logFormat         `env:"LOG_FORMAT" arg:"auto|json|text" help:"auto: text on a terminal, else JSON"`
	LogLevel    logLevel          `env:"LOG_LEVEL" arg:"LEVEL" help:"trace, debug, info, warn, error or off"`
	LogTo       logTo             `env:"LOG_TO" arg:"stdout|stderr" help:"where nodeinit's own lines go"`
	Verbose     count             `env:"VERBOSE" short:"v" help:"log at debug, -vv at trace"`
	Group       toggle            `env:"GROUP" short:"g" group:"as tini" help:"signal the program's process group"`
	Rewrite     []signals.Rewrite `env:"REWRITE" short:"r" arg:"FROM:TO" group:"as tini" help:"forward TO when FROM comes; 0 drops it"`
	RemapExit   []remap           `env:"REMAP_EXIT" short:"e" arg:"CODE[:TO]" group:"as tini" help:"exit with TO (or 0) instead of CODE"`
	Subreaper   toggle            `env:"SUBREAPER" short:"s" group:"as tini" help:"adopt orphans where not PID 1 (on by itself)"`
	Pdeathsig   signal            `env:"PDEATHSIG" short:"p" arg:"SIG" group:"as tini" help:"signal for nodeinit when its parent dies"`
	WarnOnReap  toggle            `env:"WARN_ON_REAP" short:"w" group:"as tini" help:"log each orphan reaped at warn"`
}

func defaults() config {
	return config{
		Mode:        "auto",
		CrashWindow: duration(time.Minute),
		Heap:        heap{auto: true},
		Grace:       duration(supervisor.DefaultGrace),
		Subreaper:   true,
		LogFormat:   "auto",
		LogLevel:    "info",
		LogTo:       "stdout",
	}
}

// check finds values that are good by themselves but not together.
func (c config) check() error {
	seen := make(map[string]bool)
	for _, r := range c.Rewrite {
		from := signals.Name(r.From)
		if seen[from] {
			return fmt.Errorf("--rewrite or NODEINIT_REWRITE: %q: %s is rewritten twice (keep one)", r, from)
		}
		seen[from] = true
	}
	return nil
}

// remapped returns the status to exit with when the result would be code.
func (c config) remapped(code int) int {
	for _, r := range c.RemapExit {
		if r.from == code {
			return r.to
		}
	}
	return code
}

func (c config) rules() signals.Rules {
	return signals.Rules{Rewrites: c.Rewrite, Stop: c.StopSignal.sig()}
}

func (c config) grace() time.Duration { return time.Duration(c.Grace) }
