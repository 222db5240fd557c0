package main

import "testing"

func TestNumber(t *testing.T) {
	t.Parallel()
	// As Linux 6.18 has it: keys that begin or end as others do.
	text := []byte("Name:\tVmRSS:\nVmRSS:\t    6516 kB\nPss:                 1234 kB\nPss_Dirty:           55 kB\nSwapPss:  7 kB\nThreads:\t7\n")
	for key, want := range map[string]float64{"VmRSS:": 6516, "Pss:": 1234, "Threads:": 7} {
		if got, err := number(text, key); err != nil || got != want {
			t.Errorf("number behind %q is %v, %v, want %v", key, got, err, want)
		}
	}
	for _, key := range []string{"Anonymous:", "Name:"} {
		if got, err := number(text, key); err == nil {
			t.Errorf("number behind %q is %v, want an error", key, got)
		}
	}
}

func TestFaultsOf(t *testing.T) {
	t.Parallel()
	stat := []byte("42 (no) de 1 2) S 1 42 42 0 -1 4194560 601 144 3 0 5 6 7 8 20 0 7 0 99\n")
	if got, err := faultsOf(stat); err != nil || got != 745 {
		t.Errorf("minor faults are %v, %v, want 745", got, err)
	}
	for _, bad := range []string{"", "42 (node) S 1 42", "42 (node) S 1 42 42 0 -1 4194560 x 144 3"} {
		if got, err := faultsOf([]byte(bad)); err == nil {
			t.Errorf("minor faults in %q are %v, want an error", bad, got)
		}
	}
}
