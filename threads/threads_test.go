package threads_test

import (
	"os"
	"runtime"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/threads"
)

func TestMain(m *testing.M) {
	testproc.Main(map[string]func([]string){"busy": busy})
	os.Exit(m.Run())
}

// Of the threads that others need while Make holds some, no more stay than are wanted.
func TestMakeEndsExcessThreads(t *testing.T) {
	t.Parallel()
	p := testproc.Command{Argv: testproc.Argv("busy")}.Start(t)
	p.Expect("threads: 8")
	p.WaitCode(0)
}

// busy makes eight threads, and occupies two others while that goes on.
func busy([]string) {
	const total = 8
	set := threads.New()
	release := make(chan struct{})
	occupied := 0
	err := set.Make(total, 0, func(f func()) {
		f()
		if occupied == 2 {
			return
		}
		occupied++
		locked := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(locked)
			<-release
			runtime.UnlockOSThread()
		}()
		<-locked
	})
	close(release)
	if err != nil {
		panic(err)
	}
	n, _ := runtime.ThreadCreateProfile(nil)
	testproc.Say("threads: %d", n)
}
