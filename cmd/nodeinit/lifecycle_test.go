package main

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/plan"
	"github.com/nodeinit/nodeinit/supervisor"
)

const all = "--ready message --ready-timeout 5 --drain-delay 6 --stop-order drain --reload-signal HUP --max-memory 50% --max-age 7 --hang-timeout 8 --max-crashes 3 --crash-window 9"

func TestTend(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args   string
		tend   func(*run, *supervisor.Supervisor)
		want   *supervisor.Supervisor
		follow bool
	}{
		"fork": {all, (*run).tend, &supervisor.Supervisor{
			Ready: supervisor.ReadyMessage, ReadyTimeout: 5 * time.Second, DrainDelay: 6 * time.Second, StopOrder: supervisor.DrainFirst,
			ReloadSignal: unix.SIGHUP, HangTimeout: 8 * time.Second,
		}, false},
		"workers": {all, (*run).tendWorkers, &supervisor.Supervisor{
			Ready: supervisor.ReadyMessage, ReadyTimeout: 5 * time.Second, DrainDelay: 6 * time.Second, StopOrder: supervisor.DrainFirst,
			ReloadSignal: unix.SIGHUP, HangTimeout: 8 * time.Second,
			PerCore: true, MaxMemory: func() int64 { return 128 << 20 }, MaxAge: 7 * time.Second, MaxCrashes: 3, CrashWindow: 9 * time.Second,
		}, true},
		"no agent": {all + " --no-agent --stop-order signal --ready none", (*run).tend, &supervisor.Supervisor{
			Ready: supervisor.ReadyNone, ReadyTimeout: 5 * time.Second, DrainDelay: 6 * time.Second, StopOrder: supervisor.SignalFirst,
			ReloadSignal: unix.SIGHUP,
		}, false},
		"by default": {"", (*run).tendWorkers, &supervisor.Supervisor{
			ReadyTimeout: 30 * time.Second, PerCore: true, CrashWindow: time.Minute,
		}, true},
		"not resized":   {"--no-resize", (*run).tendWorkers, &supervisor.Supervisor{ReadyTimeout: 30 * time.Second, PerCore: true, CrashWindow: time.Minute}, false},
		"fixed workers": {"--workers 3", (*run).tendWorkers, &supervisor.Supervisor{ReadyTimeout: 30 * time.Second, PerCore: true, CrashWindow: time.Minute}, false},
		"most workers":  {"--workers max", (*run).tendWorkers, &supervisor.Supervisor{ReadyTimeout: 30 * time.Second, PerCore: true, CrashWindow: time.Minute}, false},
	} {
		a := app{config: parsed(t, strings.Fields(c.args))}
		source := &plan.Source{Group: cgroup.Find(os.DirFS(t.TempDir())), CPUs: 2, Memory: 512 << 20}
		limits := source.Read()
		limits.Affinity = 8
		p, err := plan.New(a.config, limits, a.identify([]string{"node", "a.js"}))
		if err != nil {
			t.Fatal(err)
		}
		r := run{app: &a, plan: p, current: plan.Follow(logs.New(io.Discard, logs.JSON, zerolog.InfoLevel), source, p)}
		var s supervisor.Supervisor
		c.tend(&r, &s)
		w := c.want
		if s.Ready != w.Ready || s.ReadyTimeout != w.ReadyTimeout || s.DrainDelay != w.DrainDelay || s.StopOrder != w.StopOrder ||
			s.ReloadSignal != w.ReloadSignal || s.HangTimeout != w.HangTimeout || s.PerCore != w.PerCore || (s.MaxMemory == nil) != (w.MaxMemory == nil) || s.MaxMemory != nil && s.MaxMemory() != w.MaxMemory() ||
			s.MaxAge != w.MaxAge || s.MaxCrashes != w.MaxCrashes || s.CrashWindow != w.CrashWindow || (s.Target != nil) != c.follow {
			t.Errorf("%s: %+v", name, &s)
		}
	}
}
