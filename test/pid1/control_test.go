package pid1

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

const (
	askHealth = `{"version":1,"op":"health"}` + "\n"
	askStatus = `{"version":1,"op":"status"}` + "\n"
	askReload = `{"version":1,"op":"reload"}` + "\n"
	isReady   = `{"version":1,"healthy":true,"text":"the program is ready"}` + "\n"
)

// controlName returns the abstract name of the control socket of a nodeinit in the PID
// namespace of this process.
func controlName(t *testing.T, pid int) string {
	t.Helper()
	info, err := os.Stat("/proc/self/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("@nodeinit/%d/%d", info.Sys().(*syscall.Stat_t).Ino, pid)
}

// openControl connects to the control socket, which has to be there, as soon as it has room,
// and sends text.
func openControl(t *testing.T, name, text string) net.Conn {
	t.Helper()
	var conn net.Conn
	var err error
	harness.WaitUntil(t, "room for a client that waits", func() bool {
		conn, err = net.Dial("unix", name)
		return !errors.Is(err, unix.EAGAIN)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(testproc.HangLimit)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
		t.Fatal(err)
	}
	return conn
}

// askControl returns the answer to text.
func askControl(t *testing.T, name, text string) string {
	t.Helper()
	conn := openControl(t, name, text)
	defer conn.Close()
	answer, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, unix.ECONNRESET) {
		t.Fatalf("%v after %q", err, answer)
	}
	return string(answer)
}

// startControlled starts a nodeinit beside the test, with a program that does nothing, and
// returns the name of its control socket, which is there.
func startControlled(t *testing.T, flags string, argv ...string) (*testproc.Process, string) {
	t.Helper()
	c := harness.UnderInit(flags, argv...)
	c.PID1 = false
	p := c.Start(t)
	name := controlName(t, p.PID)
	harness.WaitUntil(t, "the control socket", func() bool {
		conn, err := net.Dial("unix", name)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return p, name
}

// figure returns a number of /proc/PID/status.
func figure(t *testing.T, pid int, name string) int {
	t.Helper()
	status := harness.ReadFile(t, fmt.Sprintf("/proc/%d", pid), "status")
	_, text, _ := strings.Cut(status, "\n"+name+":")
	n, err := strconv.Atoi(strings.Fields(text)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// maxThreads is how many threads nodeinit may have: see docs/operating.md.
const maxThreads = 8

// Whatever clients do, others get their answers, and afterwards nodeinit has the
// descriptors, the threads and nearly the memory that it had.
func TestControlSocketWithBadClients(t *testing.T) {
	t.Parallel()
	p, name := startControlled(t, "", testproc.Argv("idle")...)
	p.Expect("up")
	dir := fmt.Sprintf("/proc/%d", p.PID)
	harness.WaitUntil(t, "all threads", func() bool { return figure(t, p.PID, "Threads") >= maxThreads-1 })
	ask := func(times int) {
		t.Helper()
		for range times {
			if got := askControl(t, name, askHealth); got != isReady {
				t.Fatalf("%q", got)
			}
		}
		askControl(t, name, askStatus)
	}
	ask(200)
	var files map[int]string
	harness.WaitUntil(t, "connections to be closed", func() bool { files = descriptors(t, dir); return len(files) < 12 })
	memory := figure(t, p.PID, "VmRSS")

	var open []net.Conn
	for range 5 {
		open = append(open, openControl(t, name, ""), openControl(t, name, `{"version":1,"op":`))
	}
	for text, want := range map[string]string{
		"rubbish\n":                "not a request of the control protocol",
		strings.Repeat("x", 1<<20): "the request is longer than 4096 bytes",
		`{"version":2}` + "\n":     "speaks version 1 of the control protocol, not 2",
	} {
		if got := askControl(t, name, text); !strings.Contains(got, want) {
			t.Errorf("%.20q: %q", text, got)
		}
	}
	for range 100 { // those that end midway
		openControl(t, name, askStatus).Close()
		harness.WaitUntil(t, "room", func() bool { return askControl(t, name, askHealth) == isReady })
	}
	for range 1000 { // more than are accepted, and than may wait
		conn, err := net.Dial("unix", name)
		if err == nil {
			open = append(open, conn)
		}
	}
	for _, conn := range open {
		conn.Close()
	}
	harness.WaitUntil(t, "room", func() bool { return askControl(t, name, askHealth) == isReady })
	ask(2000)
	harness.WaitUntil(t, "the descriptors that it had", func() bool { return len(descriptors(t, dir)) <= len(files) })
	if n := figure(t, p.PID, "Threads"); n > maxThreads {
		t.Errorf("%d threads", n)
	}
	if now := figure(t, p.PID, "VmRSS"); now > memory+1024 {
		t.Errorf("%d kB of memory, and %d before", now, memory)
	}
	p.Signal(unix.SIGTERM)
	p.Wait()
}

// Neither the socket nor its connections are passed on to a process that is started.
func TestControlSocketIsNotInherited(t *testing.T) {
	t.Parallel()
	p, name := startControlled(t, "--mode per-core --workers 2 --ready none --no-agent --logs raw", "sh", "-c", "echo up >&3; exec sleep infinity")
	defer p.Wait()
	defer p.Signal(unix.SIGTERM) // else its workers live on, and hold its output open
	p.Expect("up", "up")
	for range 5 {
		openControl(t, name, "")
	}
	if got := askControl(t, name, askReload); !strings.Contains(got, `{"done":true,`) {
		t.Fatalf("reload: %s", got)
	}
	p.Expect("up", "up")
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.PID)) // of each thread
	if err != nil {
		t.Fatal(err)
	}
	var children []string
	for _, list := range lists {
		children = append(children, strings.Fields(harness.ReadFile(t, filepath.Dir(list), "children"))...)
	}
	if len(children) < 2 {
		t.Fatalf("children: %q", children)
	}
	own := make(map[string]bool)
	for _, file := range descriptors(t, fmt.Sprintf("/proc/%d", p.PID)) {
		own[file] = strings.HasPrefix(file, "socket:")
	}
	for _, pid := range children {
		for fd, file := range descriptors(t, "/proc/"+pid) {
			if own[file] { // unlike the channel, of which each has an end
				t.Errorf("process %s has %s of nodeinit as descriptor %d", pid, file, fd)
			}
		}
	}
}

// The exit does not wait for clients, and clients that follow a reload are told.
func TestControlSocketHoldsUpNoExit(t *testing.T) {
	t.Parallel()
	p, name := startControlled(t, harness.LongGrace+"--mode per-core --workers 1 --ready-timeout 0 --ready message", testproc.Argv("idle")...)
	p.Expect("up")
	silent := openControl(t, name, `{"version"`)
	reload := openControl(t, name, askReload)
	if n, err := reload.Read(make([]byte, 1)); n != 1 {
		t.Fatalf("reload: %v", err)
	}
	p.Signal(unix.SIGTERM)
	p.Wait()
	if text, _ := io.ReadAll(reload); !strings.HasSuffix(string(text), `{"error":"stopping"}`+"\n") {
		t.Errorf("the reload ends with %q", text)
	}
	if text, err := io.ReadAll(silent); len(text) > 100 {
		t.Errorf("%q, %v", text, err)
	}
}

// squatted becomes args when another process has taken the name of its control socket.
func squatted(args []string) {
	info, err := os.Stat("/proc/self/ns/pid")
	if err != nil {
		harness.Fail(err)
	}
	argv := testproc.Argv("squatter", fmt.Sprintf("@nodeinit/%d/%d", info.Sys().(*syscall.Stat_t).Ino, os.Getpid()))
	squatter := exec.Command(argv[0], argv[1:]...)
	squatter.Stdin, squatter.Stderr = os.Stdin, os.Stderr
	ready, err := squatter.StdoutPipe()
	if err == nil {
		err = squatter.Start()
	}
	if err == nil {
		_, err = ready.Read(make([]byte, 1))
	}
	if err != nil {
		harness.Fail(err)
	}
	harness.Become(args)
}

// squatter listens at a name until its standard input ends.
func squatter(args []string) {
	if _, err := net.Listen("unix", args[0]); err != nil {
		harness.Fail(err)
	}
	fmt.Println("up")
	testproc.UntilStdinCloses()
}

// Where the name is taken, one warning says by what, and the program runs all the same.
func TestControlNameTaken(t *testing.T) {
	t.Parallel()
	p := harness.Under(harness.UnderInit("", "sh", "-c", `"$0" health 2>&1 | head -c 300 >&3; cat`, harness.Nodeinit), testproc.Argv("squatted")...).Start(t)
	if got, want := p.Line(), "nodeinit: health: @nodeinit/"; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "listens there in the place of process 1") {
		t.Errorf("health says %q", got)
	}
	harness.UntilLogged(t, p, "no control socket")
	p.CloseStdin()
	p.WaitCode(0)
	count := 0
	for _, line := range harness.OwnLines(t, p.Output()) {
		if line.Msg == "no control socket" {
			count++
			if text := fmt.Sprint(line.Facts["error"]); line.Level != "warn" || !strings.HasPrefix(text, "process ") || !strings.Contains(text, "has taken @nodeinit/") {
				t.Errorf("%v", line.Facts)
			}
		}
	}
	if count != 1 {
		t.Errorf("%d warnings", count)
	}
}

// Where nodeinit could not have its socket, health says that nodeinit runs all the same.
func TestControlPathNotBound(t *testing.T) {
	t.Parallel()
	p := harness.UnderInit("--control /proc/socket", "sh", "-c", `"$0" health 2>&1 >&3 | head -c 300 >&3; cat`, harness.Nodeinit).Start(t)
	p.Expect("nodeinit: health: nodeinit runs (process 1), but has no control socket at /proc/socket: " +
		"it has not started its program yet, or its log says why (no control socket)")
	harness.UntilLogged(t, p, "no control socket")
	p.CloseStdin()
	p.WaitCode(0)
}

// healthScript reports what health says until it is healthy or cannot be.
const healthScript = `for i in $(seq 1000); do
	text=$("$0" health "$@" 2>&1) && break
	case $text in *control\ off*|*4000000*) break;; esac
done
echo "$text" >&3; cat`

// The subcommands find the socket by what PID 1 was started with.
func TestControlSetting(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "socket")
	for name, c := range map[string]struct {
		flags string
		env   []string
		args  []string // of health
		want  string
	}{
		"auto":            {"", nil, nil, "healthy: the program is ready"},
		"--pid":           {"", nil, []string{"--pid", "1"}, "healthy: the program is ready"},
		"off":             {"--control off", nil, nil, "nodeinit: health: that nodeinit takes no commands (it runs with --control off)"},
		"a path":          {"--control " + path, nil, nil, "healthy: the program is ready"},
		"a variable":      {"", []string{"NODEINIT_CONTROL=" + path + "2"}, nil, "healthy: the program is ready"},
		"--control":       {"--control " + path + "3", nil, []string{"--control", path + "3"}, "healthy: the program is ready"},
		"no control file": {"--control /proc/socket", nil, []string{"--pid", "4000000"}, "nodeinit: health: process 4000000 takes no commands (is it a nodeinit, and did it start its program?)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := append([]string{"sh", "-c", healthScript, harness.Nodeinit}, c.args...)
			p := harness.WithEnv(harness.UnderInit(c.flags, command...), c.env...).Start(t)
			p.Expect(c.want)
			if file := socketOf(c.flags, c.env); file != "" {
				if info, err := os.Lstat(file); err != nil || info.Mode() != os.ModeSocket|0o600 {
					t.Errorf("%v, %v", info, err)
				}
				defer func() {
					if _, err := os.Lstat(file); !errors.Is(err, os.ErrNotExist) {
						t.Errorf("left behind: %v", err)
					}
				}()
			}
			p.CloseStdin()
			p.WaitCode(0)
		})
	}
}

// socketOf returns the path of the control socket below a directory of the test, "" for
// none.
func socketOf(flags string, env []string) string {
	for _, text := range append(env, flags) {
		if i := strings.Index(text, "/"); i >= 0 && !strings.Contains(text, "/proc") {
			return text[i:]
		}
	}
	return ""
}
