package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// loopback returns an address of this machine that no other test uses.
func loopback(last int) string {
	return fmt.Sprintf("127.%d.%d.%d", 100+os.Getpid()>>8&0x3f, os.Getpid()&0xff, last)
}

// needsLowPorts fails a test where every user may bind every port.
func needsLowPorts(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		t.Fatal(err)
	}
	if first, err := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || first < 1024 {
		t.Fatalf("every user may bind ports from %d on here (%v): sysctl net.ipv4.ip_unprivileged_port_start=1024", first, err)
	}
}

var plainUser = rights{UID: otherUser, GID: otherGroup, Groups: []int{}, Umask: 0o022}

// otherWorker is a fake worker whose process is another user's.
func otherWorker(t *testing.T, p *Primary, slot int, r rights) (*fakeWorker, *voice) {
	t.Helper()
	m := newFakeWorker(t, p, slot)
	return m, m.voice(r.argv("speaker"))
}

// ask has the process ask for a server.
func (m *fakeWorker) askBy(v *voice, over object) answer {
	m.t.Helper()
	v.send("%s", queryFrame(over))
	return m.hearsAnswer()
}

// A worker of another user gets no port that it could not bind itself, in none of the ways;
// with the capability it does.
func TestLowPortIsForThoseWhoMayBindIt(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	needsLowPorts(t)
	capable := plainUser
	capable.BindsLow = true
	for i, balance := range []Balance{RR, Shared, ReusePort, IPHash} {
		t.Run(string(balance), func(t *testing.T) {
			t.Parallel()
			p := run(t, balance)
			root := newFakeWorker(t, p, 0)
			plain, plainVoice := otherWorker(t, p, 1, plainUser)
			able, ableVoice := otherWorker(t, p, 2, capable)
			at := object{"address": loopback(1 + i), "port": 81}
			free, udp := object{"address": loopback(1 + i), "port": 82}, object{"address": loopback(1 + i), "port": 83, "addressType": "udp4"}
			root.gets(at)
			for what, over := range map[string]object{"free": free, "root's": at, "for datagrams": udp} {
				if a := plain.askBy(plainVoice, over); a.err() != unix.EACCES {
					t.Errorf("%s: %+v, want EACCES", what, a)
				}
				if a := able.askBy(ableVoice, over); a.err() != 0 {
					t.Errorf("%s, with the capability: %v", what, a.err())
				}
			}
			if a := plain.askBy(plainVoice, object{"address": loopback(1 + i), "port": 0}); a.err() != 0 {
				t.Errorf("any port: %v", a.err())
			}
			if s := plain.state(); s.Refused.Where != "" {
				t.Errorf("what the worker could not do either is told of: %+v", s.Refused)
			}
		})
	}
}

// A process that has ended before its message is read has no rights but to what every user may.
func TestRightsOfAWorkerThatHasEndedAreNobodys(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	needsLowPorts(t)
	capable := plainUser
	capable.BindsLow = true
	p := run(t, RR)
	m, v := otherWorker(t, p, 0, capable)
	release := hold(t, p)
	v.send("%s", queryFrame(object{"address": loopback(20), "port": 84}))
	v.send("%s", queryFrame(object{"address": loopback(20), "port": 0}))
	v.ends()
	release()
	if a := m.hearsAnswer(); a.err() != unix.EACCES {
		t.Errorf("a low port: %v, want EACCES", a.err())
	}
	if a := m.hearsAnswer(); a.err() != 0 {
		t.Errorf("any port: %v", a.err())
	}
}

// The socket file of another user is that user's, with the mode that its umask leaves; what
// it has no right to make, or to join, it does not get.
func TestSocketFileOfAnotherUserIsTheirs(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	p := run(t, RR)
	root := newFakeWorker(t, p, 0)
	masked := plainUser
	masked.Umask, masked.Groups = 0o027, []int{4321}
	m, v := otherWorker(t, p, 1, masked)
	dir := shortDir(t)
	own, shared, locked := filepath.Join(dir, "own"), filepath.Join(dir, "shared"), filepath.Join(dir, "locked")
	err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(own, 0o755), os.Chown(own, otherUser, otherGroup),
		os.Mkdir(shared, 0o700), os.Chown(shared, 0, 4321), os.Chmod(shared, 0o770), os.Mkdir(locked, 0o755))
	if err != nil {
		t.Fatal(err)
	}
	at := func(path string) object { return object{"address": path, "port": -1, "addressType": -1} }
	for _, dir := range []string{own, shared} {
		path := filepath.Join(dir, "s")
		if a := m.askBy(v, at(path)); a.err() != 0 {
			t.Fatalf("%s: %v", path, a.err())
		}
		var stat unix.Stat_t
		if err := unix.Stat(path, &stat); err != nil || stat.Uid != otherUser || stat.Mode&0o777 != 0o750 {
			t.Errorf("%s: %v, of %d with mode %o", path, err, stat.Uid, stat.Mode&0o777)
		}
	}
	root.gets(at(filepath.Join(locked, "root")))
	for _, name := range []string{"new", "root"} {
		if a := m.askBy(v, at(filepath.Join(locked, name))); a.err() != unix.EACCES {
			t.Errorf("%s in a directory of root's: %+v, want EACCES", name, a)
		}
	}
	if a := root.gets(at(filepath.Join(own, "s"))); a.Key == "" {
		t.Error("root may not join what is another's")
	}
	m.w.Release(false)
	root.w.Release(false)
	done(p)
	for _, path := range []string{filepath.Join(own, "s"), filepath.Join(shared, "s"), filepath.Join(locked, "root")} {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
}

// One of two other users does not join a file of the other's; a port that both may bind
// they share.
func TestTwoOtherUsersShareWhatBothMayBind(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	p := run(t, RR)
	second := plainUser
	second.UID, second.GID = otherUser-1, otherGroup-1
	a, aVoice := otherWorker(t, p, 0, plainUser)
	b, bVoice := otherWorker(t, p, 1, second)
	c, cVoice := otherWorker(t, p, 2, plainUser)
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	file := object{"address": filepath.Join(dir, "s"), "port": -1, "addressType": -1}
	first := a.askBy(aVoice, file)
	if other := b.askBy(bVoice, file); other.err() != unix.EACCES {
		t.Errorf("a file of another user: %+v, want EACCES", other)
	}
	if same := c.askBy(cVoice, file); same.err() != 0 || same.Key != first.Key {
		t.Errorf("a file of the same user: %+v, want %+v", same, first)
	}
	port := object{"address": loopback(30), "port": 0}
	first = a.askBy(aVoice, port)
	if other := b.askBy(bVoice, port); other.err() != 0 || other.Key != first.Key {
		t.Errorf("a port that every user may bind: %+v, want %+v", other, first)
	}
}

// A message without credentials has no sender; else the sender is the process that wrote, and
// not the one that has opened the channel.
func TestSenderIsTheProcessThatWrote(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	v := m.voice(testproc.Argv("speaker"))
	for i, say := range []func(string, ...any){m.send, v.send} {
		say("%s", queryFrame(object{"seq": 5, "index": i}))
		if a := m.hearsAnswer(); a.Ack != 5 || a.err() != 0 {
			t.Errorf("answered %+v", a)
		}
		want := []int{os.Getpid(), v.PID}[i]
		if got := inside(m.w.primary, func() unix.Ucred { return m.w.channel.sender }); int(got.Pid) != want || int(got.Uid) != os.Getuid() {
			t.Errorf("got %+v, want process %d", got, want)
		}
	}
	for what, oob := range map[string][]byte{"nothing": nil, "a descriptor": unix.UnixRights(0), "many": unix.UnixRights(0, 1, 2, 3, 4, 5)} {
		sender, rest := splitControl(oob)
		if sender != unknownSender || len(rest) != len(oob) {
			t.Errorf("%s: %+v, and %d bytes of %d", what, sender, len(rest), len(oob))
		}
	}
	credentials := unix.UnixCredentials(&unix.Ucred{Pid: 3, Uid: 4, Gid: 5})
	sender, rest := splitControl(append(credentials, unix.UnixRights(0)...))
	if (sender != unix.Ucred{Pid: 3, Uid: 4, Gid: 5}) || len(rest) != len(unix.UnixRights(0)) {
		t.Errorf("%+v, and %d bytes", sender, len(rest))
	}
}
