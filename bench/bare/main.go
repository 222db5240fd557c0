// Command bare starts /bin/true and waits for it: the least that an init in Go
// does. With a number it has os/signal catch so many signals first.
//
// Usage: bare N
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func run(count string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	if n > 0 { // Notify without signals would catch all
		signal.Notify(make(chan os.Signal, 1), first(n)...)
	}
	started, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{Env: os.Environ(), Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return err
	}
	ended, err := started.Wait()
	if err == nil && !ended.Success() {
		err = fmt.Errorf("true: %v", ended)
	}
	return err
}

// first returns the first n signals but those that cannot be caught, and those
// that Go's runtime or the C library keeps for itself.
func first(n int) (list []os.Signal) {
	for number := syscall.Signal(1); number <= 64 && len(list) < n; number++ {
		switch number {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPROF, 32, 33, 34:
		default:
			list = append(list, number)
		}
	}
	return list
}
