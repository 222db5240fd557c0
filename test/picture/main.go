// Command picture runs a command on a terminal, and prints what is on the screen after a
// while as an SVG.
//
//	picture [flags] COMMAND [ARGUMENT...]
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
)

func main() {
	columns, rows := flag.Int("columns", 80, "of the terminal"), flag.Int("rows", 24, "of the terminal")
	after := flag.Duration("after", 5*time.Second, "when to take the picture")
	title := flag.String("title", "", "what is in the bar of the window")
	flag.Parse()
	screen, err := run(flag.Args(), *columns, *rows, *after)
	if err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
	fmt.Print(draw(screen, *title))
}

// run returns the terminal as it is after a while, and ends the command.
func run(argv []string, columns, rows int, after time.Duration) (vt10x.Terminal, error) {
	screen := vt10x.New(vt10x.WithSize(columns, rows))
	command := exec.Command(argv[0], argv[1:]...)
	command.Env = append(os.Environ(), "TERM=xterm-256color", "LANG=C.UTF-8")
	terminal, err := pty.StartWithSize(command, &pty.Winsize{Rows: uint16(rows), Cols: uint16(columns)})
	if err != nil {
		return nil, err
	}
	defer terminal.Close()
	time.AfterFunc(after, func() { _ = terminal.SetReadDeadline(time.Now()) })
	var rest []byte // the beginning of a character
	for buffer := make([]byte, 4096); ; {
		n, err := terminal.Read(buffer)
		if os.IsTimeout(err) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%q has ended: %w\n%s", argv, err, screen)
		}
		rest = append(rest, buffer[:n]...)
		n, err = screen.Write(rest)
		if err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	_ = command.Process.Kill()
	_ = command.Wait()
	return screen, nil
}
