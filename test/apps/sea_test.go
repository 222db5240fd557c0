package apps

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/test/harness"
)

// startSEA starts a single executable application, and waits until it listens.
func startSEA(t *testing.T, flags string, listening func(v *service) bool) *service {
	t.Helper()
	dir := harness.AppDir(t, "sea")
	c := harness.UnderInit(flags+" --grace 10m --ready-timeout 1h", filepath.Join(dir, "server"))
	v := startService(t, c)
	harness.WaitUntil(t, "it to listen", func() bool {
		if unix.Kill(v.PID, 0) != nil {
			t.Fatalf("ended; stdout:\n%s\nstderr:\n%s", v.Output(), v.Errors())
		}
		return listening(v)
	})
	return v
}

// A single executable application serves from workers if it is to, and is drained
// by the protocol's disconnect: at a reload, and when it is stopped.
func TestSingleExecutable(t *testing.T) {
	t.Parallel()
	v := startSEA(t, "--mode per-core --workers 2 --reload-signal HUP", func(v *service) bool { return len(v.listening()) == 2 })
	harness.UntilAllAnswer(t, v.listening(), func() (string, error) { return harness.Get(v.url()) })
	answers := v.asksSlowly()
	v.Signal(unix.SIGHUP)
	v.hears(answers)
	harness.WaitUntil(t, "the reload to be done", func() bool { return strings.Contains(v.Output(), `"msg":"reload done","workers":2`) })
	answers = v.asksSlowly()
	v.Signal(unix.SIGTERM)
	v.hears(answers)
	v.WaitCode(harness.Terminated)
}

// Without --mode per-core it is one process, and the log says why: one that
// does not listen would never end.
func TestSingleExecutableIsOneProcess(t *testing.T) {
	t.Parallel()
	v := startSEA(t, "--workers 2", func(v *service) bool { _, err := harness.Get(v.url()); return err == nil })
	said := false
	for _, l := range harness.OwnLines(t, v.Output()) {
		reason, _ := l.Facts["reason"].(string)
		said = said || l.Facts["mode"] == "fork" && strings.Contains(reason, "single executable")
	}
	if !said {
		t.Errorf("logged\n%s", v.Output())
	}
	v.Signal(unix.SIGTERM)
	v.WaitCode(harness.Terminated)
}

// Node itself, which could become one, is none.
func TestExplainKnowsSingleExecutables(t *testing.T) {
	t.Parallel()
	dir := harness.AppDir(t, "sea")
	other := filepath.Join(t.TempDir(), "server")
	if err := os.Symlink(harness.NodeBinary(t, shutdownLine), other); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]bool{filepath.Join(dir, "server"): true, other: false} {
		out, err := harness.Run(harness.Nodeinit, "explain", "--workers", "2", "--", file, "x.js")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out, "single executable"); got != want {
			t.Errorf("%s: %v, want %v: %s", file, got, want, out)
		}
	}
}
