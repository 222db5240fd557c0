package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

func TestMain(m *testing.M) {
	testproc.Main(map[string]func(args []string){
		"speaker":  speaker,
		"rightsOf": withRights,
		"none":     func([]string) {},
		"primary":  primaryAlone,
	})
	os.Exit(m.Run())
}

// fatal ends a role.
func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(97)
}

// speaker writes to stdout what it reads from stdin.
func speaker([]string) {
	testproc.Say("there")
	buffer := make([]byte, 4096)
	for {
		n, err := unix.Read(0, buffer)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return
		}
		for data := buffer[:n]; len(data) > 0; data = data[n:] {
			if n, err = unix.Write(1, data); err != nil && err != unix.EINTR {
				fatal(err)
			}
			n = max(n, 0)
		}
	}
}

// rights are those of another user.
type rights struct {
	UID, GID int
	Groups   []int
	Umask    int
	BindsLow bool // with CAP_NET_BIND_SERVICE
}

// withRights becomes the role args[1:] with the rights that args[0] is as JSON.
func withRights(args []string) {
	var r rights
	if err := json.Unmarshal([]byte(args[0]), &r); err != nil {
		fatal(err)
	}
	runtime.LockOSThread() // the one that becomes the process
	unix.Umask(r.Umask)
	err := errors.Join(unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0),
		unix.Setgroups(r.Groups), unix.Setresgid(r.GID, r.GID, r.GID), unix.Setresuid(r.UID, r.UID, r.UID))
	if r.BindsLow {
		const low = 1 << unix.CAP_NET_BIND_SERVICE
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		caps := [2]unix.CapUserData{{Effective: low, Permitted: low, Inheritable: low}}
		err = errors.Join(err, unix.Capset(&header, &caps[0]),
			unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_NET_BIND_SERVICE, 0, 0))
	}
	if err == nil { // by /proc, for a directory that is not theirs to look into
		err = syscall.Exec("/proc/self/exe", testproc.Argv(args[1], args[2:]...), os.Environ())
	}
	fatal(err)
}

// argv returns the arguments that run a role with these rights.
func (r rights) argv(role string, args ...string) []string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return testproc.Argv("rightsOf", append([]string{string(text), role}, args...)...)
}

// A voice is a process that writes to the channel of a fakeWorker.
type voice struct {
	*testproc.Process
	t  testing.TB
	to *os.File
}

// voice starts one with the arguments argv.
func (m *fakeWorker) voice(argv []string) *voice {
	m.t.Helper()
	channel, err := m.conn.File()
	if err != nil {
		m.t.Fatal(err)
	}
	defer channel.Close()
	from, to, err := os.Pipe()
	if err != nil {
		m.t.Fatal(err)
	}
	defer from.Close()
	m.t.Cleanup(func() { to.Close() })
	v := &voice{testproc.Command{Argv: argv, Stdin: from, Stdout: channel}.Start(m.t), m.t, to}
	v.Expect("there")
	return v
}

func (v *voice) send(format string, args ...any) {
	v.t.Helper()
	if _, err := fmt.Fprintf(v.to, format+"\n", args...); err != nil {
		v.t.Fatal(err)
	}
}

// ends ends the process and waits for that.
func (v *voice) ends() {
	v.t.Helper()
	v.to.Close()
	v.WaitCode(0)
}
