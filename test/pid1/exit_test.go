package pid1

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

func TestExitsWithTheProgramsStatus(t *testing.T) {
	t.Parallel()
	for _, code := range []int{0, 1, 2, 7, 42, 125, 126, 127, 128, 137, 143, 254, 255} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			p := harness.UnderInit("", "sh", "-c", fmt.Sprintf("exit %d", code)).Start(t)
			p.WaitCode(code)
			report := exitReport(t, p.Output())
			level := map[bool]string{true: "info", false: "error"}[code == 0]
			if report.Level != level || report.Facts["cause"] != "exit" || report.Facts["status"] != float64(code) || report.Facts["requested"] != false {
				t.Errorf("exit report at %s: %v", report.Level, report.Facts)
			}
		})
	}
}

func TestExitsWith128AndTheSignal(t *testing.T) {
	t.Parallel()
	for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGABRT, unix.SIGKILL, unix.SIGSEGV, unix.SIGPIPE, unix.SIGTERM, 34, 64} {
		t.Run(strconv.Itoa(int(sig)), func(t *testing.T) {
			t.Parallel()
			p := harness.UnderInit("", "sh", "-c", fmt.Sprintf("kill -%d $$", sig)).Start(t)
			p.WaitCode(128 + int(sig))
			name := unix.SignalName(sig)
			if sig >= 34 {
				name = strings.TrimSuffix(fmt.Sprintf("SIGRTMIN+%d", sig-34), "+0")
			}
			if report := exitReport(t, p.Output()); report.Facts["cause"] != "signal" || report.Facts["signal"] != name {
				t.Errorf("exit report %v, want signal %s", report.Facts, name)
			}
		})
	}
}

func TestRemapsExitStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flags, env string
		code, want int
	}{
		{"-e 143", "", 143, 0},
		{"-e 143:5", "", 143, 5},
		{"--remap-exit=7:9 -e 9:7 -e 0:3", "", 7, 9},
		{"-e 7:9 -e 9:7 -e 0:3", "", 0, 3},
		{"-e 143", "", 7, 7},
		{"", "143,7:8", 7, 8},
		{"-e 9", "7:8", 7, 7},
		{"-e 127:255", "", -1, 255},
	} {
		t.Run(c.flags+c.env+"/"+strconv.Itoa(c.code), func(t *testing.T) {
			t.Parallel()
			argv := []string{"sh", "-c", fmt.Sprintf("exit %d", c.code)}
			if c.code < 0 {
				argv = []string{"/no/such/program"}
			}
			p := harness.WithEnv(harness.UnderInit(c.flags, argv...), "NODEINIT_REMAP_EXIT="+c.env).Start(t)
			p.WaitCode(c.want)
		})
	}
}

// A file is one to be executed.
type file struct {
	content string
	mode    os.FileMode
}

// There is one line on stderr for a person and one in the log for a machine.
func TestSaysWhyACommandDoesNotStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, f := range map[string]file{
		"plain":       {"#!/bin/sh\n", 0o644},
		"interpreter": {"#!/no/such/interpreter -x\n", 0o755},
		"elf":         {"\x7fELF\x02\x01\x01\x00\x00\x00", 0o755},
		"foreign":     {"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00" + strings.Repeat("\x00", 80), 0o755},
	} {
		harness.WriteFile(t, filepath.Join(dir, name), f.content, f.mode)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, command string
		code          int
		says          string
	}{
		{"missing in PATH", "no-such-program", 127, "not found"},
		{"missing path", dir + "/missing", 127, "no such file"},
		{"path through a file", dir + "/plain/x", 127, "not a directory"},
		{"empty", "", 127, "not found"},
		{"not executable", dir + "/plain", 126, "permission denied"},
		{"not executable in PATH", "plain", 126, "permission denied"},
		{"directory", dir, 126, "directory"},
		{"interpreter missing", dir + "/interpreter", 127, "/no/such/interpreter"},
		{"damaged ELF", dir + "/elf", 126, "not an executable"},
		{"ELF of another machine", dir + "/foreign", 126, "not an executable"},
		{"FIFO", dir + "/fifo", 126, "permission denied"},
		{"device", "/dev/null", 126, "permission denied"},
		{"name too long", "/" + strings.Repeat("x", 300), 126, "too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := harness.WithEnv(harness.UnderInit("", c.command), "PATH="+dir+":"+os.Getenv("PATH")).Start(t)
			p.WaitCode(c.code)
			text := p.Errors()
			if strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "nodeinit: ") || !strings.Contains(text, c.says) {
				t.Errorf("stderr %q, want one line with %q", text, c.says)
			}
			report := exitReport(t, p.Output())
			if report.Facts["cause"] != "not_started" || report.Facts["status"] != float64(c.code) || report.Level != "error" {
				t.Errorf("exit report %v", report.Facts)
			}
		})
	}
}

// The rules are those of execvp(3).
func TestFindsTheProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, f := range map[string]file{
		"text":         {"echo \"$0 $1 $#\"\nexit 5\n", 0o755},
		"empty":        {"", 0o755},
		"bin/here":     {"#!/bin/sh\necho bin $1 $#\nexit 5\n", 0o755},
		"here":         {"#!/bin/sh\necho dot $1 $#\nexit 5\n", 0o755},
		"locked/here":  {"#!/bin/sh\necho locked\n", 0o644},
		"folder/here/": {},
	} {
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		harness.WriteFile(t, filepath.Join(dir, name), f.content, f.mode)
	}
	for _, c := range []struct {
		name, command, path string
		code                int
		says                string
	}{
		{"script without #!", dir + "/text", "/bin", 5, dir + "/text a b 2"},
		{"script without #! in PATH", "text", "/bin:" + dir, 5, dir + "/text a b 2"},
		{"empty file", dir + "/empty", "/bin", 0, ""},
		{"relative name", "bin/here", "/bin", 5, "bin a b 2"},
		{"relative name with a dot", "./here", "/bin", 5, "dot a b 2"},
		{"relative element of PATH", "here", "/bin:bin", 5, "bin a b 2"},
		{"first of several", "here", "bin:.", 5, "bin a b 2"},
		{"empty element at the end", "here", "/bin:", 5, "dot a b 2"},
		{"empty element in front", "here", ":bin", 5, "dot a b 2"},
		{"empty element between", "here", "/bin::bin", 5, "dot a b 2"},
		{"past a file that is not executable", "here", "locked:bin", 5, "bin a b 2"},
		{"past a directory", "here", "folder:bin", 5, "bin a b 2"},
		{"past what is no directory", "here", "text:bin", 5, "bin a b 2"},
		{"PATH empty", "true", "", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			command := harness.UnderInit("--log-level off", c.command, "a b", "")
			command.Dir, command.Env = dir, []string{"PATH=" + c.path}
			p := command.Start(t)
			p.WaitCode(c.code)
			if got := strings.TrimSuffix(p.Output(), "\n"); got != c.says || p.Errors() != "" {
				t.Errorf("stdout %q, want %q; stderr %q", got, c.says, p.Errors())
			}
		})
	}
}

func TestPassesArgumentsAsTheyAre(t *testing.T) {
	t.Parallel()
	args := []string{"-e", "--grace", "9", "--", "", "a  b", "*", "\xff\n", "--help"}
	for name, words := range map[string][]string{
		"after --":                  {harness.Nodeinit, "--grace=1s", "--"},
		"after the first word":      {harness.Nodeinit, "--grace", "1s"},
		"after a flag with a value": {harness.Nodeinit, "-r", "USR1:0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			argv := append(append(words, testproc.Argv("arguments")...), args...)
			p := testproc.Command{PID1: true, Argv: argv}.Start(t)
			p.Expect(fmt.Sprintf("%q", args))
			p.WaitCode(0)
		})
	}
}

func arguments(args []string) { testproc.Say("%q", args) }
