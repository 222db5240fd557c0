package supervisor_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/supervisor"
)

func known(n uint64) cgroup.Counter { return cgroup.Counter{Value: n, Known: true} }

func TestCode(t *testing.T) {
	t.Parallel()
	for status, want := range map[unix.WaitStatus]int{
		exitedWith(0): 0, exitedWith(1): 1, exitedWith(255): 255,
		killedBy(unix.SIGTERM): 143, killedBy(unix.SIGKILL): 137, killedBy(64): 192,
		killedBy(unix.SIGSEGV) | 0x80: 139, // with a core dump
	} {
		if got := supervisor.Code(status); got != want {
			t.Errorf("Code(%#x) = %d, want %d", uint32(status), got, want)
		}
	}
}

func TestCrashed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		end  supervisor.Exit
		want bool
	}{
		{supervisor.Exit{Status: exitedWith(0)}, false},
		{supervisor.Exit{Status: exitedWith(1)}, true},
		{supervisor.Exit{Status: killedBy(unix.SIGKILL)}, true},
		{supervisor.Exit{Status: exitedWith(1), Requested: true}, false},
		{supervisor.Exit{Status: killedBy(unix.SIGTERM), Requested: true}, false},
		{supervisor.Exit{Survived: true, Requested: true, Killed: supervisor.GraceExceeded}, false},
	} {
		if got := c.end.Crashed(); got != c.want {
			t.Errorf("%+v crashed: %v, want %v", c.end, got, c.want)
		}
	}
}

func TestDiagnose(t *testing.T) {
	t.Parallel()
	const heap = 300 << 20
	none := cgroup.Stats{OOM: known(5), OOMKill: known(2)}
	own := cgroup.Stats{OOM: known(6), OOMKill: known(3)}
	above := cgroup.Stats{OOM: known(5), OOMKill: known(3)}
	for _, c := range []struct {
		name     string
		end      supervisor.Exit
		after    cgroup.Stats
		oldSpace int64
		want     supervisor.Cause
	}{
		{"exit", supervisor.Exit{Status: exitedWith(0)}, none, heap, supervisor.Exited},
		{"bad exit", supervisor.Exit{Status: exitedWith(1), MaxRSS: heap}, none, heap, supervisor.Exited},
		{"signal", supervisor.Exit{Status: killedBy(unix.SIGTERM)}, none, heap, supervisor.Signalled},
		{"SIGKILL from elsewhere", supervisor.Exit{Status: killedBy(unix.SIGKILL)}, none, heap, supervisor.Signalled},
		{"137 of its own", supervisor.Exit{Status: exitedWith(137)}, none, heap, supervisor.Exited},
		{"nothing known", supervisor.Exit{Status: killedBy(unix.SIGKILL)}, cgroup.Stats{}, 0, supervisor.Signalled},
		{"own limit", supervisor.Exit{Status: killedBy(unix.SIGKILL)}, own, heap, supervisor.OOMKilled},
		{"own limit, behind a shell", supervisor.Exit{Status: exitedWith(137)}, own, heap, supervisor.OOMKilled},
		{"a limit above", supervisor.Exit{Status: killedBy(unix.SIGKILL)}, above, heap, supervisor.OOMAbove},
		{"a limit above, behind a shell", supervisor.Exit{Status: exitedWith(137)}, above, heap, supervisor.OOMAbove},
		{"another process was OOM-killed", supervisor.Exit{Status: exitedWith(1)}, own, heap, supervisor.Exited},
		{"full heap", supervisor.Exit{Status: killedBy(unix.SIGABRT), MaxRSS: heap}, none, heap, supervisor.V8Heap},
		{"full heap, with a core dump", supervisor.Exit{Status: killedBy(unix.SIGABRT) | 0x80, MaxRSS: heap}, none, heap, supervisor.V8Heap},
		{"full heap, behind a shell", supervisor.Exit{Status: exitedWith(134), MaxRSS: heap}, none, heap, supervisor.V8Heap},
		{"half a heap", supervisor.Exit{Status: killedBy(unix.SIGABRT), MaxRSS: heap / 2}, none, heap, supervisor.V8Heap},
		{"abort with little memory", supervisor.Exit{Status: killedBy(unix.SIGABRT), MaxRSS: heap/2 - 1}, none, heap, supervisor.Signalled},
		{"134 of its own", supervisor.Exit{Status: exitedWith(134), MaxRSS: heap/2 - 1}, none, heap, supervisor.Exited},
		{"abort, heap not known", supervisor.Exit{Status: killedBy(unix.SIGABRT), MaxRSS: heap}, none, 0, supervisor.Signalled},
		{"killed by us", supervisor.Exit{Status: killedBy(unix.SIGKILL), Killed: supervisor.GraceExceeded}, own, heap, "grace_exceeded"},
		{"ended by itself while we killed it", supervisor.Exit{Status: exitedWith(0), Killed: supervisor.GraceExceeded}, none, heap, "exit"},
		{"killed by us for a third stop", supervisor.Exit{Status: killedBy(unix.SIGKILL), Killed: supervisor.StopRepeated}, none, heap, "stop_repeated"},
		{"aborted because it hung", supervisor.Exit{Status: killedBy(unix.SIGABRT), MaxRSS: heap, Killed: supervisor.Hang}, none, heap, "hang"},
		{"aborted because it hung, with a core dump, behind a shell", supervisor.Exit{Status: exitedWith(134), Killed: supervisor.Hang}, none, heap, "hang"},
		{"hung, and was killed at last", supervisor.Exit{Status: killedBy(unix.SIGKILL), Killed: supervisor.Hang}, own, heap, "hang"},
		{"aborted while we killed it for something else", supervisor.Exit{Status: killedBy(unix.SIGABRT), Killed: supervisor.GraceExceeded}, none, heap, "signal"},
		{"killed by us in vain", supervisor.Exit{Survived: true, Killed: supervisor.GraceExceeded}, none, heap, "grace_exceeded"},
	} {
		if got := c.end.Diagnose(none, c.after, c.oldSpace); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	all := cgroup.Stats{
		Periods: known(100), Throttled: known(10), OOM: known(0), OOMKill: known(0), MemoryPeak: known(1000),
		ThrottledTime: known(0), ThrottledAny: known(0),
	}
	later := cgroup.Stats{
		Periods: known(400), Throttled: known(110), OOM: known(1), OOMKill: known(2), MemoryPeak: known(2000),
		ThrottledTime: known(1e9), ThrottledAny: known(3e9), // ns
	}
	for _, c := range []struct {
		name          string
		end           supervisor.Exit
		before, after cgroup.Stats
		want          string
	}{
		{"all", supervisor.Exit{Status: killedBy(unix.SIGKILL), Cause: supervisor.OOMKilled, Uptime: 1500 * time.Millisecond, MaxRSS: 4096, Crashes: 1}, all, later,
			`"cause":"oom_kill","status":137,"signal":"SIGKILL","requested":false,"uptime_ms":1500,"crashes":1,"max_rss_bytes":4096,"peak_memory_bytes":2000,"throttled_share":0.333,"throttled_above_ms":2000,"oom_kills":2}`},
		{"nothing known", supervisor.Exit{Status: exitedWith(0), Cause: supervisor.Exited}, cgroup.Stats{}, cgroup.Stats{},
			`"cause":"exit","status":0,"requested":false,"uptime_ms":0,"crashes":0,"max_rss_bytes":0}`},
		{"nothing happened", supervisor.Exit{Status: exitedWith(3), Cause: supervisor.Exited, Requested: true, Uptime: time.Hour}, all, all,
			`"cause":"exit","status":3,"requested":true,"uptime_ms":3600000,"crashes":0,"max_rss_bytes":0,"peak_memory_bytes":1000,"oom_kills":0}`},
		{"known only at the end", supervisor.Exit{Status: exitedWith(0), Cause: supervisor.Exited}, cgroup.Stats{}, later,
			`"cause":"exit","status":0,"requested":false,"uptime_ms":0,"crashes":0,"max_rss_bytes":0,"peak_memory_bytes":2000}`},
		{"survived", supervisor.Exit{Survived: true, Requested: true, Killed: supervisor.GraceExceeded, Cause: "grace_exceeded"}, all, all,
			`"cause":"grace_exceeded","status":137,"requested":true,"uptime_ms":0,"crashes":0,"max_rss_bytes":0,"peak_memory_bytes":1000,"oom_kills":0}`},
		{"per core", supervisor.Exit{Status: killedBy(unix.SIGSEGV), Cause: supervisor.Signalled, Crashes: 3, PerCore: true, Worker: 0, Starts: 5}, cgroup.Stats{}, cgroup.Stats{},
			`"cause":"signal","status":139,"signal":"SIGSEGV","worker":0,"requested":false,"uptime_ms":0,"crashes":3,"starts":5,"max_rss_bytes":0}`},
	} {
		var out bytes.Buffer
		c.end.Report(logs.New(&out, logs.JSON, logs.LevelInfo, nil).Info("exit"), c.before, c.after).Send()
		_, got, _ := strings.Cut(strings.TrimSpace(out.String()), `"msg":"exit",`)
		if got != c.want {
			t.Errorf("%s: got\n%s, want\n%s", c.name, got, c.want)
		}
	}
}

// A report below the log level costs nothing and breaks nothing.
func TestReportToNobody(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := logs.New(&out, logs.JSON, logs.LevelOff, nil)
	supervisor.Exit{}.Report(log.Info("exit"), cgroup.Stats{}, cgroup.Stats{}).Send()
	if out.Len() > 0 {
		t.Errorf("got %q", out.String())
	}
}
