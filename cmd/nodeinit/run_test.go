package main

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/plan"
	"github.com/nodeinit/nodeinit/supervisor"
)

const all = "--ready message --ready-timeout 5 --drain-delay 6 --stop-order drain --reload-signal HUP --max-memory 50% --max-age 7 --hang-timeout 8 --max-crashes 3 --crash-window 9"

func TestConfigure(t *testing.T) {
	t.Parallel()
	message := supervisor.Readiness{When: supervisor.ReadyMessage, Timeout: 5 * time.Second}
	drain := supervisor.StopPolicy{Delay: 6 * time.Second, Order: supervisor.DrainFirst}
	workers := &supervisor.Supervisor{
		PerCore: true, Ready: supervisor.Readiness{Timeout: 30 * time.Second}, Crashes: supervisor.CrashPolicy{Window: time.Minute},
	}
	for name, c := range map[string]struct {
		args      string
		want      *supervisor.Supervisor
		maxMemory int64
		resized   bool
	}{
		"fork": {all + " --mode fork", &supervisor.Supervisor{
			Ready: message, Stop: drain, ReloadSignal: unix.SIGHUP, Health: supervisor.HealthPolicy{HangTimeout: 8 * time.Second},
		}, 0, false},
		"workers": {all, &supervisor.Supervisor{
			Ready: message, Stop: drain, ReloadSignal: unix.SIGHUP, Health: supervisor.HealthPolicy{HangTimeout: 8 * time.Second},
			PerCore: true, Crashes: supervisor.CrashPolicy{Max: 3, Window: 9 * time.Second},
			Recycle: supervisor.RecyclePolicy{MaxAge: 7 * time.Second},
		}, 128 << 20, true},
		"no agent": {all + " --mode fork --no-agent --stop-order signal --ready none", &supervisor.Supervisor{
			Ready: supervisor.Readiness{When: supervisor.ReadyNone, Timeout: 5 * time.Second},
			Stop:  supervisor.StopPolicy{Delay: 6 * time.Second, Order: supervisor.SignalFirst}, ReloadSignal: unix.SIGHUP,
		}, 0, false},
		"by default":    {"", workers, 0, true},
		"not resized":   {"--no-resize", workers, 0, false},
		"fixed workers": {"--workers 3", workers, 0, false},
		"max workers":   {"--workers max", workers, 0, false},
	} {
		s := configured(t, c.args)
		if s.Ready != c.want.Ready || s.Stop != c.want.Stop || s.Crashes != c.want.Crashes || s.PerCore != c.want.PerCore ||
			s.ReloadSignal != c.want.ReloadSignal || s.Health.HangTimeout != c.want.Health.HangTimeout || s.Recycle.MaxAge != c.want.Recycle.MaxAge {
			t.Errorf("%s: %+v", name, s)
		}
		if got := s.Recycle.MaxMemory; (got != nil) != (c.maxMemory > 0) || got != nil && got(2) != c.maxMemory {
			t.Errorf("%s: another MaxMemory than %d", name, c.maxMemory)
		}
		if (s.Target != nil) != c.resized {
			t.Errorf("%s: follows the limits: %t", name, s.Target != nil)
		}
	}
}

// configured returns a Supervisor as the flags in args set it.
func configured(t *testing.T, args string) *supervisor.Supervisor {
	t.Helper()
	a := app{config: parsed(t, strings.Fields(args))}
	source := &plan.Source{Group: cgroup.Find(os.DirFS(t.TempDir())), CPUs: 2, Memory: 512 << 20}
	limits := source.Read()
	limits.Affinity = 8
	p, err := plan.New(a.config, limits, plan.Outputs{}, a.identify([]string{"node", "a.js"}))
	if err != nil {
		t.Fatal(err)
	}
	r := run{app: &a, plan: p, current: plan.Follow(logs.New(io.Discard, logs.JSON, logs.LevelInfo, nil), source, p)}
	s := new(supervisor.Supervisor)
	r.configure(s)
	return s
}
