package harness

import (
	"os"
	"strings"
	"testing"

	"github.com/hinshun/vt10x"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// A Screen is a terminal of which the test sees what a person would see.
type Screen struct {
	*Terminal
	emulator vt10x.Terminal
	drawn    int // how much of Text the emulator has
	before   unix.Termios
}

// OnScreen starts c on a terminal of its own of that size. A size of 0x0 is as if nobody
// had set one; then the screen is 80x24.
func OnScreen(t *testing.T, c testproc.Command, columns, rows int) *Screen {
	t.Helper()
	master, tty := OpenTerminal(t)
	s := &Screen{emulator: vt10x.New()}
	if columns > 0 && rows > 0 {
		s.emulator.Resize(columns, rows)
		setSize(t, master, columns, rows)
	}
	s.before = termios(t, master)
	s.Terminal = startOn(t, c, true, master, tty)
	return s
}

// control calls do with the descriptor of a terminal, which stays non-blocking (Fd would
// change that).
func control(t *testing.T, terminal *os.File, do func(fd int) error) {
	t.Helper()
	conn, err := terminal.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if failed := conn.Control(func(fd uintptr) { err = do(int(fd)) }); failed != nil || err != nil {
		t.Fatal(failed, err)
	}
}

// termios returns the modes of a terminal.
func termios(t *testing.T, terminal *os.File) (modes unix.Termios) {
	t.Helper()
	control(t, terminal, func(fd int) error {
		now, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err == nil {
			modes = *now
		}
		return err
	})
	return modes
}

func setSize(t *testing.T, terminal *os.File, columns, rows int) {
	t.Helper()
	size := unix.Winsize{Row: uint16(rows), Col: uint16(columns)}
	control(t, terminal, func(fd int) error { return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &size) })
}

// Resize changes the size, as a person does with a window.
func (s *Screen) Resize(columns, rows int) {
	s.t.Helper()
	s.draw()
	s.emulator.Resize(columns, rows)
	setSize(s.t, s.Master, columns, rows)
}

// draw gives the emulator what has been written since.
func (s *Screen) draw() {
	text := s.Text()
	n, err := s.emulator.Write([]byte(text[s.drawn:])) // less than all where a character is not whole
	if err != nil {
		s.t.Fatal(err)
	}
	s.drawn += n
}

// Rows returns the rows as they are now, without blanks at their ends.
func (s *Screen) Rows() []string {
	s.draw()
	rows := strings.Split(strings.TrimSuffix(s.emulator.String(), "\n"), "\n")
	for i := range rows {
		rows[i] = strings.TrimRight(rows[i], " ")
	}
	return rows
}

// Shows reports whether text is on the screen now.
func (s *Screen) Shows(text string) bool { return strings.Contains(strings.Join(s.Rows(), "\n"), text) }

// Await waits until the screen shows text.
func (s *Screen) Await(text string) {
	s.t.Helper()
	s.AwaitThat("the screen to show "+text, func() bool { return s.Shows(text) })
}

// AwaitThat waits until a condition on the screen is met.
func (s *Screen) AwaitThat(what string, met func() bool) {
	s.t.Helper()
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("screen, when waiting for %s:\n%s", what, strings.Join(s.Rows(), "\n"))
		}
	})
	WaitUntil(s.t, what, met)
}

// Emulator returns the terminal with all that has been written.
func (s *Screen) Emulator() vt10x.Terminal {
	s.draw()
	return s.emulator
}

// ExpectRestored checks that the terminal is as before the process had it: its modes,
// the main screen, a cursor.
func (s *Screen) ExpectRestored() {
	s.t.Helper()
	if now := termios(s.t, s.Master); now != s.before {
		s.t.Errorf("the modes of the terminal are\n%+v, were\n%+v", now, s.before)
	}
	s.AwaitThat("the main screen, a cursor and automatic wrap", func() bool {
		e := s.Emulator()
		return e.Mode()&vt10x.ModeAltScreen == 0 && e.Mode()&vt10x.ModeWrap != 0 && e.CursorVisible()
	})
}
