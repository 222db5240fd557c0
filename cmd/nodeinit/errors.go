package main

import (
	"errors"
	"fmt"
	"time"
)

// Exit statuses of nodeinit's own; the rest are the program's or exec's.
const (
	exitUsage    = 2
	exitInternal = 125
)

// usageError prints what is wrong with the arguments or the environment, one line
// for each thing, and returns the status to exit with.
func (a *app) usageError(err error) int {
	var all interface{ Unwrap() []error }
	lines := []error{err}
	if errors.As(err, &all) {
		lines = all.Unwrap()
	}
	for _, line := range lines {
		a.printError(line)
	}
	return exitUsage
}

// printError writes err to stderr as one line, but does not wait for ever for
// somebody to read it.
func (a *app) printError(err error) {
	written := make(chan struct{})
	go func() {
		fmt.Fprintf(a.stderr, "nodeinit: %v\n", err)
		close(written)
	}()
	select {
	case <-written:
	case <-time.After(flushTimeout):
	}
}
