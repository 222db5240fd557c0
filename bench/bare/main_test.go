package main

import (
	"os"
	"slices"
	"syscall"
	"testing"
)

func TestFirst(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 3, 56} {
		list := first(n)
		if len(list) != n {
			t.Errorf("first(%d) returns %d signals", n, len(list))
		}
		if slices.Contains(list, os.Signal(syscall.SIGKILL)) {
			t.Errorf("first(%d) has SIGKILL", n)
		}
	}
}
