package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
	"github.com/nodeinit/nodeinit/supervisor"
)

// A config is all that a user can set. Each field declares a flag and its
// environment variable at once: STOP_SIGNAL is NODEINIT_STOP_SIGNAL and
// --stop-signal. The other tags: short, the one-letter flag; arg, what stands
// for the value in --help; help, the line there; group, where --help names
// several flags in one line instead; negated, that --no-NAME turns it off; needs,
// without what it means nothing (see unused). A []T takes several, repeated as
// flags, in the environment separated by commas or, where a value may have one in
// it, by what envSeparator says: see splitLines.
type config struct {
	Mode         mode              `env:"MODE" arg:"auto|fork|per-core" help:"one process, or one worker per CPU"`
	Workers      workers           `env:"WORKERS" arg:"auto|max|N" help:"how many workers; auto: by the limits"`
	Balance      balance           `env:"BALANCE" arg:"HOW" help:"rr, shared, reuseport or ip-hash"`
	Pre          []command         `env:"PRE" envSeparator:"\x00" arg:"CMD" help:"run this once before, a migration for example"`
	Heap         heap              `env:"HEAP" arg:"auto|off|SIZE" help:"Node's old space; auto: from the memory limit"`
	Grace        duration          `env:"GRACE" arg:"D" help:"from the stop signal to SIGKILL; 0: for ever"`
	DrainDelay   duration          `env:"DRAIN_DELAY" arg:"D" help:"serve on for so long after the stop signal"`
	StopSignal   stopSignal        `env:"STOP_SIGNAL" arg:"SIG" help:"what the program gets to stop; else what came"`
	ReloadSignal reloadSignal      `env:"RELOAD_SIGNAL" arg:"SIG" group:"workers" needs:"workers" help:"replace the workers one by one when it comes"`
	Ready        ready             `env:"READY" arg:"listen|message|none" group:"workers" needs:"channel" help:"when a worker counts as ready"`
	ReadyTimeout duration          `env:"READY_TIMEOUT" arg:"D" group:"workers" needs:"channel" help:"how long that may take; 0: for ever"`
	StopOrder    stopOrder         `env:"STOP_ORDER" arg:"auto|signal|drain" group:"workers" needs:"channel" help:"what comes first when a worker is to stop"`
	MaxCrashes   number            `env:"MAX_CRASHES" arg:"N" group:"workers" help:"crashed workers to replace; then exit"`
	CrashWindow  duration          `env:"CRASH_WINDOW" arg:"D" group:"workers" help:"within which time they are counted"`
	MaxMemory    maxMemory         `env:"MAX_MEMORY" arg:"SIZE|P%" group:"workers" needs:"workers" help:"replace a worker that stays above"`
	MaxAge       duration          `env:"MAX_AGE" arg:"D" group:"workers" needs:"workers" help:"replace a worker that is so old; 0: never"`
	HangTimeout  hangTimeout       `env:"HANG_TIMEOUT" arg:"D" group:"workers" needs:"agent" help:"end a worker that does nothing for so long; 0: never"`
	Resize       toggle            `env:"RESIZE" negated:"true" group:"workers" help:"follow limits that change"`
	NoAgent      toggle            `env:"NO_AGENT" group:"workers" help:"put nothing of nodeinit's into Node"`
	CPUs         cpus              `env:"CPUS" arg:"N" group:"limits" help:"CPUs there are, whatever the cgroup says"`
	Memory       size              `env:"MEMORY" arg:"SIZE" group:"limits" help:"memory there is, whatever the cgroup says"`
	LogFormat    logFormat         `env:"LOG_FORMAT" arg:"auto|json|text" group:"log" help:"auto: text on a terminal, else JSON"`
	LogLevel     logLevel          `env:"LOG_LEVEL" arg:"LEVEL" group:"log" help:"trace, debug, info, warn, error or off"`
	LogTo        logTo             `env:"LOG_TO" arg:"stdout|stderr" group:"log" help:"where nodeinit's own lines go"`
	Verbose      count             `env:"VERBOSE" short:"v" group:"log" help:"log at debug, -vv at trace"`
	Group        toggle            `env:"GROUP" short:"g" group:"as tini" help:"signal the program's process group"`
	Rewrite      []signals.Rewrite `env:"REWRITE" short:"r" arg:"FROM:TO" group:"as tini" help:"forward TO when FROM comes; 0 drops it"`
	RemapExit    []remap           `env:"REMAP_EXIT" short:"e" arg:"CODE[:TO]" group:"as tini" help:"exit with TO (or 0) instead of CODE"`
	Subreaper    toggle            `env:"SUBREAPER" short:"s" group:"as tini" help:"adopt orphans where not PID 1 (on by itself)"`
	Pdeathsig    signal            `env:"PDEATHSIG" short:"p" arg:"SIG" group:"as tini" help:"signal for nodeinit when its parent dies"`
	WarnOnReap   toggle            `env:"WARN_ON_REAP" short:"w" group:"as tini" help:"log each orphan reaped at warn"`
}

func defaults() config {
	return config{
		Mode:         "auto",
		Heap:         heap{auto: true},
		Grace:        duration(supervisor.DefaultGrace),
		ReadyTimeout: duration(supervisor.DefaultReadyTimeout),
		StopOrder:    "auto",
		CrashWindow:  duration(time.Minute),
		Resize:       true,
		Subreaper:    true,
		LogFormat:    "auto",
		LogLevel:     "info",
		LogTo:        "stdout",
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
	return c.checkReload()
}

// checkReload finds what else the reload signal would mean.
func (c config) checkReload() error {
	reload := c.ReloadSignal.sig()
	if reload == 0 {
		return nil
	}
	bad := func(why string) error {
		return fmt.Errorf("--reload-signal or NODEINIT_RELOAD_SIGNAL: %q %s (try another)", c.ReloadSignal, why)
	}
	for _, r := range c.Rewrite {
		if r.From == reload {
			return bad("is rewritten too")
		}
	}
	if _, stop := c.rules().Apply(reload); stop {
		return bad("is --stop-signal too")
	}
	if reload == c.Pdeathsig.sig() {
		return bad("is --pdeathsig too")
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

// preRules are the rules for what runs before the program, when there is nothing
// to reload.
func (c config) preRules() signals.Rules {
	rules := c.rules()
	if reload := c.ReloadSignal.sig(); reload != 0 {
		rules.Rewrites = append([]signals.Rewrite{{From: reload}}, rules.Rewrites...)
	}
	return rules
}

// neverComing returns a line for each setting that waits for a signal which
// ignored says was ignored when nodeinit was started, and therefore stays so.
func (c config) neverComing(ignored func(unix.Signal) bool) (lines []string) {
	type setting struct {
		flag string
		sig  unix.Signal
	}
	named := []setting{{"stop-signal", c.StopSignal.sig()}, {"reload-signal", c.ReloadSignal.sig()}, {"pdeathsig", c.Pdeathsig.sig()}}
	for _, r := range c.Rewrite {
		named = append(named, setting{"rewrite", r.From})
	}
	for _, s := range named {
		if s.sig != 0 && ignored(s.sig) {
			lines = append(lines, fmt.Sprintf("--%s: %s never comes, as it was ignored when nodeinit was started (do not start it by nohup or as a background job of a script, or take another one, as USR2)", s.flag, signals.Name(s.sig)))
		}
	}
	return lines
}

func (c config) grace() time.Duration { return time.Duration(c.Grace) }
