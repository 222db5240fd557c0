package logs

import (
	"strings"
	"testing"
)

// What Node decides (TestColorsAreNodes in test/cluster compares the two).
func TestColorLevel(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"": 0, "TERM=xterm": 1, "TERM=xterm-256color": 2, "TERM=XTERM": 1, "TERM=dumb": 0, "TERM=dumb COLORTERM=truecolor": 0,
		"COLORTERM=truecolor": 3, "COLORTERM=24bit TERM=xterm": 3, "COLORTERM=yes": 1, "TERM=screen.xterm-256color": 1,
		"TERM=linux": 1, "TERM=rxvt-unicode-24bit": 3, "TERM=xterm-kitty": 3, "TERM=st": 1, "TERM=network": 0,
		"TERM=xterm NO_COLOR=1": 0, "TERM=xterm NODE_DISABLE_COLORS=1": 0, "TMUX=/tmp/tmux TERM=screen": 3,
		"FORCE_COLOR=1": 1, "FORCE_COLOR=true TERM=dumb": 1, "FORCE_COLOR=2": 2, "FORCE_COLOR=3 NO_COLOR=1": 3, "FORCE_COLOR=0 TERM=xterm": 0,
	} {
		getenv := func(key string) string {
			for _, kv := range strings.Fields(text) {
				if value, ok := strings.CutPrefix(kv, key+"="); ok {
					return value
				}
			}
			return ""
		}
		if got := ColorLevel(getenv); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
		if got := ForceColor(getenv); got != want && !strings.Contains(text, "FORCE_COLOR") || got != 0 && strings.Contains(text, "FORCE_COLOR") {
			t.Errorf("%q: FORCE_COLOR=%d", text, got)
		}
	}
}
