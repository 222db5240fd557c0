package cluster

import (
	"bytes"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// An identity is the process that sent a message. Its rights decide what it gets: a
// nodeinit that runs as root may bind and remove more than a program that gosu or
// setpriv started.
type identity struct {
	trusted  bool // it has all rights that nodeinit has
	pid      int
	uid, gid int

	// Set by readProc.
	groups          []int
	bindsPrivileged bool // CAP_NET_BIND_SERVICE
	umask           int  // -1: not known
}

// mask returns the umask of the worker, -1 if it is not known.
func (i *identity) mask() int {
	if i == nil {
		return -1
	}
	return i.umask
}

// unknownSender is the sender where the kernel names none: nobody.
var unknownSender = unix.Ucred{Uid: 65534, Gid: 65534}

// identityOf returns the identity of a sender that the kernel has named.
func identityOf(sender unix.Ucred) *identity {
	i := &identity{pid: int(sender.Pid), uid: int(sender.Uid), gid: int(sender.Gid), umask: -1}
	i.trusted = i.uid == 0 || i.uid == os.Geteuid()
	return i
}

// readProc reads the rest from /proc. If the process has exited and another one has its
// ID, that one counts only if it is of the same user and group.
func (i *identity) readProc() {
	dir := "/proc/" + strconv.Itoa(i.pid)
	status, err := os.ReadFile(dir + "/status")
	if err != nil || field(status, "Uid", 10) != int64(i.uid) || field(status, "Gid", 10) != int64(i.gid) {
		return
	}
	i.umask = int(field(status, "Umask", 8))
	i.groups = nil
	for _, group := range fields(status, "Groups") {
		if gid, err := strconv.Atoi(group); err == nil {
			i.groups = append(i.groups, gid)
		}
	}
	i.bindsPrivileged = field(status, "CapEff", 16)>>unix.CAP_NET_BIND_SERVICE&1 == 1 && sameUserNamespace(dir)
}

// sameUserNamespace reports whether the capabilities of a process are those in nodeinit's
// user namespace. It compares the maps, as links to namespaces may not be readable.
func sameUserNamespace(dir string) bool {
	theirs, err1 := os.ReadFile(dir + "/uid_map")
	own, err2 := os.ReadFile("/proc/self/uid_map")
	return err1 == nil && err2 == nil && bytes.Equal(theirs, own)
}

// fields returns the values of a line of /proc/PID/status (proc_pid_status(5)).
func fields(status []byte, name string) []string {
	_, rest, _ := bytes.Cut(status, []byte("\n"+name+":\t"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	return strings.Fields(string(line))
}

// field returns the first value of a line as a number, -1 if there is none.
func field(status []byte, name string, base int) int64 {
	values := fields(status, name)
	if len(values) == 0 {
		return -1
	}
	n, err := strconv.ParseInt(values[0], base, 64)
	if err != nil {
		return -1
	}
	return n
}

// listen is q.listen with the rights of the worker that asks.
func (p *Primary) listen(q query, role reusePort) (fd int, file *socketFile, err error) {
	if fd = p.privileged.take(q); fd >= 0 {
		return fd, nil, nil
	}
	if refused := q.as.run(q.family == pipe, func() { fd, file, err = q.listen(role) }); refused != nil {
		return -1, nil, refused
	}
	if err == nil && fd >= p.maxFD {
		_ = unix.Close(fd)
		file.remove()
		return -1, nil, unix.EMFILE
	}
	return fd, file, err
}

// run calls f with i's rights to low ports, and with files to files too. It changes the
// IDs for files, the groups and the capabilities of one thread, which no other goroutine
// uses meanwhile. An error means that f was not called.
func (i *identity) run(files bool, f func()) error {
	if i == nil || i.trusted {
		f()
		return nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread() // deferred first, so called after each restore
	if files {
		restore, err := i.setFSIDs()
		if err != nil {
			return unix.EACCES
		}
		defer restore()
	}
	if !i.bindsPrivileged {
		restore, err := lowerCapability(unix.CAP_NET_BIND_SERVICE)
		if err != nil {
			return unix.EACCES
		}
		defer restore()
	}
	f()
	return nil
}

// setFSIDs gives this thread i's rights to files: an fsuid other than root's takes away
// the capabilities for files too (capabilities(7)).
func (i *identity) setFSIDs() (restore func(), err error) {
	// A change of the fsuid makes the process undumpable: others could not read its
	// /proc without CAP_SYS_PTRACE (commit_creds, kernel/cred.c).
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		return nil, err
	}
	groups, err := unix.Getgroups()
	if err != nil {
		return nil, err
	}
	restore = func() {
		_ = unix.Setfsuid(os.Geteuid())
		_ = unix.Setfsgid(os.Getegid())
		_ = unix.Setgroups(groups)
		if dumpable == 1 {
			_ = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)
		}
	}
	if !slices.Equal(groups, i.groups) {
		if err := unix.Setgroups(i.groups); err != nil {
			return nil, err
		}
	}
	_ = unix.Setfsgid(i.gid) // reports no failure
	_ = unix.Setfsuid(i.uid)
	gid, _ := unix.SetfsgidRetGid(-1)
	uid, _ := unix.SetfsuidRetUid(-1)
	if uid != i.uid || gid != i.gid {
		restore()
		return nil, unix.EPERM
	}
	return restore, nil
}

// lowerCapability takes a capability from this thread until restore is called.
func lowerCapability(capability uint) (restore func(), err error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var before [2]unix.CapUserData
	if err := unix.Capget(&header, &before[0]); err != nil {
		return nil, err
	}
	less := before
	less[capability/32].Effective &^= 1 << (capability % 32)
	if err := unix.Capset(&header, &less[0]); err != nil {
		return nil, err
	}
	return func() { _ = unix.Capset(&header, &before[0]) }, nil
}
