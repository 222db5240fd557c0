package cluster

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

type handlerFunc func(events uint32)

func (f handlerFunc) onEvents(events uint32) { f(events) }

func (p *poller) mustAdd(t *testing.T, fd int, events uint32, f handlerFunc) (token int32) {
	t.Helper()
	token, err := p.add(fd, events, f)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (p *poller) mustWait(t *testing.T) {
	t.Helper()
	if err := p.wait(); err != nil {
		t.Fatal(err)
	}
}

// readyFD returns a descriptor that can be read from, until the test ends.
func readyFD(t *testing.T) int {
	t.Helper()
	fd, err := unix.Eventfd(1, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeFD(fd) })
	return fd
}

// A token is given once, also where the descriptor has the number of one that was closed.
func TestTokensAreNeverGivenAgain(t *testing.T) {
	t.Parallel()
	p := newPoller(t)
	seen := make(map[int32]bool)
	fd := readyFD(t)
	for range 1000 {
		token := p.mustAdd(t, fd, unix.EPOLLIN, func(uint32) {})
		if seen[token] || token == 0 {
			t.Fatalf("token %d is given again, or none", token)
		}
		seen[token] = true
		p.remove(fd, token)
	}
	if n := len(p.handlers); n != 1 { // the eventfd
		t.Errorf("%d handlers are left", n)
	}
}

// Of several descriptors that are ready at once, a handler may remove others: their events are
// lost, and do not reach a handler that has their numbers by then.
func TestEventOfARemovedDescriptorReachesNobody(t *testing.T) {
	t.Parallel()
	p := newPoller(t)
	const n = 8
	var fds [n]int
	var tokens [n]int32
	handled, successors := 0, 0
	for i := range n {
		fd, err := unix.Eventfd(1, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		if err != nil {
			t.Fatal(err)
		}
		fds[i] = fd
		tokens[i] = p.mustAdd(t, fd, unix.EPOLLIN, func(uint32) {
			handled++
			for j := range n { // also itself
				p.remove(fds[j], tokens[j])
				closeFD(fds[j])
				fds[j] = readyFD(t)
				tokens[j] = p.mustAdd(t, fds[j], unix.EPOLLIN, func(uint32) { successors++ })
			}
		})
	}
	p.mustWait(t)
	if handled != 1 || successors != 0 {
		t.Errorf("%d handlers, and %d of their successors, were called in one round", handled, successors)
	}
	p.mustWait(t)
	if handled != 1 || successors != n {
		t.Errorf("%d handlers, and %d of their successors, were called in two", handled, successors)
	}
}

// A descriptor that was passed on, and so stays open when it is closed here, has no events
// once it was removed.
func TestRemovedDescriptorThatWasPassedOnIsSilent(t *testing.T) {
	t.Parallel()
	p := newPoller(t)
	fd, err := unix.FcntlInt(uintptr(readyFD(t)), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	token := p.mustAdd(t, fd, unix.EPOLLIN, func(uint32) { t.Error("it has an event") })
	p.remove(fd, token)
	closeFD(fd)
	p.wake()
	p.mustWait(t)
}

// What cannot be waited for is an error and leaves nothing behind.
func TestAddFailsWithoutATrace(t *testing.T) {
	t.Parallel()
	p := newPoller(t)
	fd := readyFD(t)
	p.mustAdd(t, fd, unix.EPOLLIN, func(uint32) {})
	for what, c := range map[string]struct {
		fd   int
		want error
	}{
		"twice":   {fd, unix.EEXIST},
		"none":    {-1, unix.EBADF},
		"itself":  {p.fd, unix.EINVAL},
		"no such": {1 << 20, unix.EBADF},
		"a file":  {int(mustOpen(t, "/proc/self/exe").Fd()), unix.EPERM},
	} {
		if token, err := p.add(c.fd, unix.EPOLLIN, handlerFunc(nil)); !errors.Is(err, c.want) || token != 0 {
			t.Errorf("%s: token %d, %v, want %v", what, token, err, c.want)
		}
	}
	if n := len(p.handlers); n != 2 {
		t.Errorf("%d handlers", n)
	}
}

// A handler hears of what it asked for last.
func TestEventsAreThoseAskedForLast(t *testing.T) {
	t.Parallel()
	p := newPoller(t)
	fd := readyFD(t) // to be read and written
	var got []uint32
	token := p.mustAdd(t, fd, 0, func(events uint32) { got = append(got, events) })
	for _, events := range []uint32{unix.EPOLLIN, unix.EPOLLOUT, unix.EPOLLIN | unix.EPOLLOUT} {
		p.change(fd, token, events)
		p.mustWait(t)
	}
	p.change(fd, token, 0)
	p.wake()
	p.mustWait(t)
	if want := []uint32{unix.EPOLLIN, unix.EPOLLOUT, unix.EPOLLIN | unix.EPOLLOUT}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// More than are read at once have their turn too.
func TestManyReadyDescriptorsAllHaveTheirTurn(t *testing.T) {
	t.Parallel()
	p := newPoller(t)
	const n = 150
	turns := make([]int, n)
	for i := range n {
		p.mustAdd(t, readyFD(t), unix.EPOLLIN, func(uint32) { turns[i]++ })
	}
	for range 2 * (n/len(p.events) + 1) {
		p.mustWait(t)
	}
	if slices.Min(turns) == 0 {
		t.Errorf("turns: %v", turns)
	}
}

// However often it is woken, before or while it waits, it wakes, and then it waits again.
func TestWakeEndsOneWait(t *testing.T) {
	t.Parallel()
	p := newPoller(t)
	for range 1000 {
		p.wake()
	}
	p.mustWait(t)
	var counter [8]byte
	if _, err := unix.Read(p.eventfd, counter[:]); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("there is something left: %v", err)
	}
	for range 20 {
		waited := make(chan error)
		go func() { waited <- p.wait() }()
		p.wake()
		if err := <-waited; err != nil {
			t.Fatal(err)
		}
	}
}

// Woken after its end, it does not write to another file that has the number of its eventfd by then.
func TestWakeAfterTheEndIsHarmless(t *testing.T) {
	t.Parallel()
	p := &poller{}
	if err := p.open(); err != nil {
		t.Fatal(err)
	}
	number := p.eventfd
	var wakers sync.WaitGroup
	for range 4 {
		wakers.Go(func() {
			for range 1000 {
				p.wake()
			}
		})
	}
	p.close()
	wakers.Wait()
	p.wake()
	if p.eventfd == number {
		t.Error("it still knows its eventfd")
	}
}

// A tick comes once, not before its time, and at the earliest time that was asked for.
func TestTickComesOnceAtTheEarliest(t *testing.T) {
	t.Parallel()
	var ticks []time.Time
	p := newPoller(t)
	p.tick = func() { ticks = append(ticks, time.Now()) }
	p.tickIn(time.Hour)
	p.wake()
	p.mustWait(t)
	if len(ticks) > 0 {
		t.Fatal("a tick before its time")
	}
	start := time.Now()
	p.tickIn(5 * time.Millisecond)
	p.tickIn(time.Hour)
	for len(ticks) == 0 { // without an event
		p.mustWait(t)
	}
	if early := ticks[0].Sub(start); early < 5*time.Millisecond {
		t.Errorf("a tick after %v", early)
	}
	p.wake()
	p.mustWait(t)
	if len(ticks) != 1 || p.timeout() != -1 {
		t.Errorf("%d ticks, timeout %d", len(ticks), p.timeout())
	}
	again := 3
	p.tick = func() {
		if again--; again > 0 {
			p.tickIn(0)
		}
	}
	p.tickIn(-time.Hour)
	for again > 0 {
		p.mustWait(t)
	}
}

// The time to wait is rounded up, or it would be waited without end for what is less than it.
func TestTimeoutIsRoundedUp(t *testing.T) {
	t.Parallel()
	p := &poller{}
	if got := p.timeout(); got != -1 {
		t.Errorf("without a tick %d", got)
	}
	p.tickIn(time.Hour)
	if got := p.timeout(); got <= 0 || got > 3600_000 {
		t.Errorf("an hour is %d", got)
	}
	p.tickIn(-time.Second)
	if got := p.timeout(); got != 0 {
		t.Errorf("the past is %d", got)
	}
}
