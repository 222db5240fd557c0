package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

const otherUser, otherGroup = 65534, 65533

// A line of /proc/PID/status is found by its whole name; what is no number is -1.
func TestFieldOfStatusIsFoundByItsWholeName(t *testing.T) {
	t.Parallel()
	status := []byte("Name:\tUid:\t7\nUmask:\t0022\nNSUid:\t3\nUid:\t1000\t1001\t1002\t1003\nGroups:\t4 24 27 \n" +
		"CapEff:\t00000000a80425fb\nEmpty:\t\nWord:\tabc\nHuge:\t99999999999999999999\nLast:\t5")
	for _, c := range []struct {
		name string
		base int
		want int64
	}{
		{"Uid", 10, 1000}, {"Umask", 8, 0o022}, {"CapEff", 16, 0xa80425fb}, {"Last", 10, 5},
		{"Groups", 10, 4}, {"Empty", 10, -1}, {"Word", 10, -1}, {"Huge", 10, -1}, {"None", 10, -1}, {"mask", 8, -1}, {"Name", 10, -1},
	} {
		if got := field(status, c.name, c.base); got != c.want {
			t.Errorf("%s is %d, want %d", c.name, got, c.want)
		}
	}
	if got := fields(status, "Groups"); !slices.Equal(got, []string{"4", "24", "27"}) {
		t.Errorf("groups %q", got)
	}
	if got := fields(nil, "Groups"); len(got) > 0 {
		t.Errorf("groups of nothing: %q", got)
	}
}

// The rights of a process are its own: groups, umask, and whether it may bind low ports.
func TestIdentityReadsTheRightsOfItsProcess(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	for _, r := range []rights{
		{UID: otherUser, GID: otherGroup, Groups: []int{}, Umask: 0o022},
		{UID: otherUser, GID: otherGroup, Groups: []int{11, 12}, Umask: 0o077},
		{UID: otherUser, GID: otherGroup, Groups: []int{otherGroup}, Umask: 0, BindsLow: true},
	} {
		m := newFakeWorker(t, run(t, RR), 0)
		v := m.voice(r.argv("speaker"))
		i := identityOf(unix.Ucred{Pid: int32(v.PID), Uid: otherUser, Gid: otherGroup})
		if i.trusted || i.umask != -1 || i.bindsPrivileged {
			t.Errorf("%+v: before it was read: %+v", r, i)
		}
		i.readProc()
		if !slices.Equal(i.groups, r.Groups) || i.umask != r.Umask || i.bindsPrivileged != r.BindsLow || i.mask() != r.Umask {
			t.Errorf("%+v: %+v", r, i)
		}
	}
}

// Nothing is believed of a process that has ended, or whose number is another user's.
func TestIdentityOfAnotherProcessIsNotBelieved(t *testing.T) {
	t.Parallel()
	p := testproc.Command{Argv: testproc.Argv("none")}.Start(t)
	p.Wait()
	self := unix.Ucred{Pid: int32(os.Getpid()), Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid())}
	for what, sender := range map[string]unix.Ucred{
		"has ended":          {Pid: int32(p.PID), Uid: self.Uid, Gid: self.Gid},
		"is another user's":  {Pid: self.Pid, Uid: self.Uid + 1, Gid: self.Gid},
		"is another group's": {Pid: self.Pid, Uid: self.Uid, Gid: self.Gid + 1},
		"is nobody":          unknownSender,
	} {
		i := identityOf(sender)
		i.readProc()
		if i.umask != -1 || i.groups != nil || i.bindsPrivileged {
			t.Errorf("a process that %s: %+v", what, i)
		}
	}
	i := identityOf(self)
	i.readProc()
	if !i.trusted || i.umask < 0 {
		t.Errorf("this process: %+v", i)
	}
	if (*identity)(nil).mask() != -1 {
		t.Error("nobody has a umask")
	}
}

// The rights of a thread, and its user.
type may struct {
	fsuid, fsgid int
	groups       []int
	effective    uint32
	dumpable     int
}

func mayNow(t *testing.T) may {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	groups, err := unix.Getgroups()
	dumpable, err2 := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	uid, _ := unix.SetfsuidRetUid(-1)
	gid, _ := unix.SetfsgidRetGid(-1)
	if err := errors.Join(err, err2, unix.Capget(&header, &caps[0])); err != nil {
		t.Fatal(err)
	}
	return may{uid, gid, groups, caps[0].Effective, dumpable}
}

func (m may) equal(other may) bool {
	return m.fsuid == other.fsuid && m.fsgid == other.fsgid && slices.Equal(m.groups, other.groups) &&
		m.effective == other.effective && m.dumpable == other.dumpable
}

// While f runs with the rights of another user, its thread has those; before and after, it
// has its own, also those that a change of user takes away.
func TestRightsOfAnotherAreHadForAMomentOnly(t *testing.T) {
	needsRoot(t)
	runtime.LockOSThread() // that what follows is about the same thread
	defer runtime.UnlockOSThread()
	low := uint32(1) << unix.CAP_NET_BIND_SERVICE
	before := mayNow(t)
	for _, c := range []struct {
		files    bool
		bindsLow bool
		groups   []int
	}{
		{false, false, nil}, {false, true, nil}, {true, false, nil}, {true, true, []int{11, 12}}, {true, false, before.groups},
	} {
		i := &identity{uid: otherUser, gid: otherGroup, groups: c.groups, bindsPrivileged: c.bindsLow, umask: -1}
		var during may
		if err := i.run(c.files, func() { during = mayNow(t) }); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if isOther := during.fsuid == otherUser && during.fsgid == otherGroup && slices.Equal(during.groups, c.groups); isOther != c.files {
			t.Errorf("%+v: its thread had %+v", c, during)
		}
		if during.effective&low != 0 != c.bindsLow {
			t.Errorf("%+v: it could bind low ports: %v", c, !c.bindsLow)
		}
		if after := mayNow(t); !after.equal(before) {
			t.Fatalf("%+v: afterwards %+v, before %+v", c, after, before)
		}
	}
	if err := (&identity{trusted: true}).run(true, func() {
		if !mayNow(t).equal(before) {
			t.Error("a sender with no fewer rights is not as before")
		}
	}); err != nil {
		t.Error(err)
	}
}

// Another user's files are made with that user's rights, not with root's.
func TestFilesOfAnotherAreMadeWithTheirRights(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	dir := shortDir(t)
	for name, own := range map[string][3]int{ // user, group, mode
		"root's": {0, 0, 0o755}, "theirs": {otherUser, 0, 0o700}, "their group's": {0, otherGroup, 0o070},
		"of a group more": {0, 12, 0o770}, "of a group less": {0, 13, 0o770}, "everybody's": {0, 0, 0o777},
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.Mkdir(path, 0o700), os.Chown(path, own[0], own[1]), os.Chmod(path, os.FileMode(own[2]))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	i := &identity{uid: otherUser, gid: otherGroup, groups: []int{11, 12}, umask: 0o077}
	for name, can := range map[string]bool{
		"root's": false, "theirs": true, "their group's": true, "of a group more": true, "of a group less": false, "everybody's": true,
	} {
		q := query{family: pipe, address: filepath.Join(dir, name, "s"), port: -1, fd: -1, backlog: 1, as: i}
		var fd int
		var file *socketFile
		var err error
		if refused := i.run(true, func() { fd, file, err = q.listen(exclusive) }); refused != nil {
			t.Fatal(refused)
		}
		if (err == nil) != can || err != nil && !errors.Is(err, unix.EACCES) {
			t.Errorf("a directory that is %s: %v", name, err)
		}
		if err != nil {
			continue
		}
		var stat unix.Stat_t
		if err := unix.Stat(q.address, &stat); err != nil || stat.Uid != otherUser || stat.Gid != otherGroup || stat.Mode&0o777 != 0o700 {
			t.Errorf("%s: %v, of %d:%d with mode %o", name, err, stat.Uid, stat.Gid, stat.Mode)
		}
		file.remove()
		if _, err := os.Lstat(q.address); !os.IsNotExist(err) {
			t.Errorf("%s: it is left: %v", name, err)
		}
		closeFD(fd)
	}
}
