package exec_test

import (
	"slices"
	"testing"

	"github.com/nodeinit/nodeinit/exec"
)

func TestGetenv(t *testing.T) {
	t.Parallel()
	env := []string{"A=1", "EMPTY=", "A=2", "PATH=/a:/b", "X=y=z", "AB=3", "=C=4", "NOTHING"}
	for key, want := range map[string]string{
		"A": "1", "EMPTY": "", "PATH": "/a:/b", "X": "y=z", "B": "", "NOTHING": "", "": "C=4", "PAT": "",
	} {
		if got := exec.Getenv(env, key); got != want {
			t.Errorf("Getenv(%q) = %q, want %q", key, got, want)
		}
	}
}

func TestSetenv(t *testing.T) {
	t.Parallel()
	env := []string{"A=1", "B=2", "A=3", "AB=4"}
	before := slices.Clone(env)
	if got, want := exec.Setenv(env, map[string]string{"C": "", "A": "5"}), []string{"B=2", "AB=4", "A=5", "C="}; !slices.Equal(got, want) {
		t.Errorf("Setenv gave %q, want %q", got, want)
	}
	if !slices.Equal(env, before) {
		t.Errorf("Setenv made %q of %q", env, before)
	}
}
