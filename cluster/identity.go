package cluster

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// An identity is whose rights decide what a worker can bind, and what is removed
// for it. A nodeinit that runs as root has more than a program that gosu or
// setpriv started; that program gets what it could do itself.
type identity struct {
	trusted  bool // nodeinit has no rights that it has not
	pid      int
	uid, gid int

	// See look.
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

// unknownSender is the sender of what the kernel names no sender of.
var unknownSender = unix.Ucred{Uid: 65534, Gid: 65534}

// identityOf returns the identity of a sender, as the kernel tells it.
func identityOf(sender unix.Ucred) *identity {
	i := &identity{pid: int(sender.Pid), uid: int(sender.Uid), gid: int(sender.Gid), umask: -1}
	i.trusted = i.uid == 0 || i.uid == os.Geteuid()
	return i
}

// readProc reads the rest in /proc. If the process has ended, and its ID is another's
// by now, that is one of the same user or it is not believed.
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

// sameUserNamespace reports whether the capabilities of a process are those of nodeinit's
// own user namespace. The namespaces themselves may not be there to read.
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

// field returns the first value as a number, -1 if there is none.
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
func (p *Primary) listen(q query, g reusePort) (fd int, file *socketFile, err error) {
	if fd = p.takePrivileged(q); fd >= 0 {
		return fd, nil, nil
	}
	if refused := q.as.run(q.family == pipe, func() { fd, file, err = q.listen(g) }); refused != nil {
		return -1, nil, refused
	}
	if err == nil && fd >= p.maxFD {
		_ = unix.Close(fd)
		file.remove()
		return -1, nil, unix.EMFILE
	}
	return fd, file, err
}

// mayShare reports whether s is of the user that asks with q, or one that this
// user could have made.
func (s *server) mayShare(q query) bool {
	switch {
	case q.as.trusted, !s.query.as.trusted && s.query.as.uid == q.as.uid, q.fd >= 0:
		return true
	case q.family == pipe:
		return false
	}
	fd, _, err := s.primary.listen(q, exclusive)
	closeFD(fd)
	return !errors.Is(err, unix.EACCES) // the kernel looks at the right before the port
}

// run calls f with the rights of i: to low ports, and to files if that is asked
// for. The IDs for files, the groups and the capabilities are those of one thread,
// which no other goroutine uses meanwhile.
func (i *identity) run(files bool, f func()) error {
	if i == nil || i.trusted {
		f()
		return nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread() // after all is as before
	if files {
		back, err := i.setFSIDs()
		if err != nil {
			return unix.EACCES
		}
		defer back()
	}
	if !i.bindsPrivileged {
		back, err := lowerCapability(unix.CAP_NET_BIND_SERVICE)
		if err != nil {
			return unix.EACCES
		}
		defer back()
	}
	f()
	return nil
}

// setFSIDs has this thread use files as i does: with another fsuid than root's, the
// capabilities that concern files are gone too (capabilities(7)). back undoes it.
func (i *identity) setFSIDs() (back func(), err error) {
	// A change of the fsuid makes the process undumpable: nobody without
	// CAP_SYS_PTRACE could look at it any more (commit_creds, kernel/cred.c).
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		return nil, err
	}
	groups, err := unix.Getgroups()
	if err != nil {
		return nil, err
	}
	back = func() {
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
	_ = unix.Setfsgid(i.gid) // says nothing of whether it did
	_ = unix.Setfsuid(i.uid)
	gid, _ := unix.SetfsgidRetGid(-1)
	uid, _ := unix.SetfsuidRetUid(-1)
	if uid != i.uid || gid != i.gid {
		back()
		return nil, unix.EPERM
	}
	return back, nil
}

// lowerCapability takes a capability from this thread. back undoes it.
func lowerCapability(capability uint) (back func(), err error) {
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

// remove removes f with the rights of the worker that it was made for.
func (f *socketFile) remove() {
	if f == nil {
		return
	}
	_ = f.as.run(true, f.unlink)
	f.close()
}
