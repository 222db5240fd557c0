package signals_test

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/signals"
)

func TestMain(m *testing.M) {
	testproc.Main(map[string]func([]string){
		"catcher":  catcher,
		"ignoring": ignoring,
	})
	os.Exit(m.Run())
}

// catcher calls Catch, and receives nothing until its stdin closes, so that all signals
// until then are pending. Then it reports each kind of signal, and exits after as many
// kinds as args say.
func catcher(args []string) {
	kinds, _ := strconv.Atoi(args[0])
	caught := signals.Catch()
	testproc.Say("catching, ignored %s", strings.Join(ignored(), " "))
	testproc.UntilStdinCloses()
	testproc.Say("taking")
	seen := make(map[unix.Signal]bool)
	for len(seen) < kinds {
		sig := <-caught
		if !seen[sig] {
			testproc.Say("%s", signals.Name(sig))
		}
		seen[sig] = true
	}
}

// ignored returns the names of the signals that this process ignores.
func ignored() []string {
	status, _ := os.ReadFile("/proc/self/status")
	_, mask, _ := strings.Cut(string(status), "\nSigIgn:\t")
	mask, _, _ = strings.Cut(mask, "\n")
	bits, err := strconv.ParseUint(mask, 16, 64)
	if err != nil {
		return []string{err.Error()}
	}
	var names []string
	for sig := unix.Signal(1); sig <= 64; sig++ {
		if bits&(1<<(sig-1)) != 0 {
			names = append(names, signals.Name(sig))
		}
	}
	return names
}

// catchable returns the names of the signals that can be pending at the same time. Not
// SIGTSTP: it makes the kernel drop a pending SIGCONT.
func catchable() []string {
	var names []string
	for sig := unix.Signal(1); sig <= 64; sig++ {
		if signals.Catchable(sig) && sig != unix.SIGTSTP {
			names = append(names, signals.Name(sig))
		}
	}
	return names
}

// expectKinds checks that these kinds of signals and no others arrive, in any order.
func expectKinds(t *testing.T, p *testproc.Process, want []string) {
	t.Helper()
	var got []string
	for range want {
		got = append(got, p.Line())
	}
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Fatalf("caught %q, want %q", got, want)
	}
}

func TestCatchGetsEachKindInAStorm(t *testing.T) {
	t.Parallel()
	p := testproc.Command{Argv: testproc.Argv("ignoring", strconv.Itoa(len(catchable())+1))}.Start(t)
	p.Expect("catching, ignored SIGTTIN SIGTTOU")
	for _, harmless := range []unix.Signal{unix.SIGPIPE, unix.SIGTTIN, unix.SIGTTOU, unix.SIGCHLD, unix.SIGURG, unix.SIGPROF} {
		p.Signal(harmless)
	}
	for sig := unix.Signal(1); sig <= 64; sig++ {
		for range 100 {
			p.Signal(unix.SIGUSR1)
		}
		if signals.Catchable(sig) && sig != unix.SIGTSTP {
			p.Signal(sig)
		}
	}
	p.CloseStdin()
	p.Expect("taking")
	expectKinds(t, p, catchable())
	p.Signal(unix.SIGTSTP)
	p.Expect("SIGTSTP")
	p.WaitCode(0)
}

// ignoring becomes a catcher of args[0] kinds that ignores the other args, as under
// nohup. It ignores nothing else, even if the tests run under nohup.
func ignoring(args []string) {
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP, unix.SIGINT)
	for _, name := range args[1:] {
		sig, err := signals.Parse(name)
		if err != nil {
			panic(err)
		}
		signal.Ignore(sig)
	}
	argv := testproc.Argv("catcher", args[0])
	fmt.Fprintln(os.Stderr, syscall.Exec(argv[0], argv, os.Environ()))
	os.Exit(97)
}

// SIGHUP and SIGINT stay ignored if they were; other ignored signals are caught.
func TestCatchLeavesIgnoredHangups(t *testing.T) {
	t.Parallel()
	for _, kept := range [][]string{{"SIGHUP"}, {"SIGINT"}, {"SIGHUP", "SIGINT"}} {
		t.Run(strings.Join(kept, "+"), func(t *testing.T) {
			t.Parallel()
			want := slices.DeleteFunc(catchable(), func(name string) bool { return slices.Contains(kept, name) })
			args := append([]string{strconv.Itoa(len(want)), "TERM", "USR1", "RTMIN+1"}, kept...)
			p := testproc.Command{Argv: testproc.Argv("ignoring", args...)}.Start(t)
			p.Expect("catching, ignored " + strings.Join(kept, " ") + " SIGTTIN SIGTTOU")
			for _, name := range catchable() {
				sig, err := signals.Parse(name)
				if err != nil {
					t.Fatal(err)
				}
				p.Signal(sig)
			}
			p.CloseStdin()
			p.Expect("taking")
			expectKinds(t, p, want)
			p.WaitCode(0)
		})
	}
}
