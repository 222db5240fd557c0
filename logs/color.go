package logs

import "strings"

// Levels of colour, as FORCE_COLOR and chalk count them.
const (
	noColor   = 0
	color16   = 1
	color256  = 2
	trueColor = 3
)

// ColorLevel returns how many colours a terminal shows, as Node decides it in an
// environment (lib/internal/tty.js, getColorDepth): 0 for none, 1 for 16, 2 for 256, 3
// for 16 million.
func ColorLevel(getenv func(string) string) int {
	switch force := getenv("FORCE_COLOR"); force {
	case "":
	case "1", "true":
		return color16
	case "2":
		return color256
	case "3":
		return trueColor
	default:
		return noColor
	}
	term := strings.ToLower(getenv("TERM"))
	if getenv("NO_COLOR") != "" || getenv("NODE_DISABLE_COLORS") != "" || term == "dumb" {
		return noColor
	}
	colorTerm := getenv("COLORTERM")
	switch {
	case getenv("TMUX") != "", colorTerm == "truecolor", colorTerm == "24bit":
		return trueColor
	case strings.Contains(term, "truecolor"), term == "mosh", term == "rxvt-unicode-24bit", term == "xterm-kitty":
		return trueColor
	case strings.HasPrefix(term, "xterm-256"):
		return color256
	case colorTerm != "", shows16(term):
		return color16
	}
	return noColor
}

// shows16 reports whether a terminal of that kind has 16 colours.
func shows16(term string) bool {
	for _, part := range []string{"ansi", "color", "linux", "direct"} {
		if strings.Contains(term, part) {
			return true
		}
	}
	for _, prefix := range []string{"rxvt", "screen", "xterm", "vt100", "vt220"} {
		if strings.HasPrefix(term, prefix) {
			return true
		}
	}
	for _, name := range []string{"console", "cygwin", "eterm", "gnome", "konsole", "kterm", "mlterm", "putty", "st", "terminator"} {
		if term == name {
			return true
		}
	}
	return false
}

// ForceColor returns the value of FORCE_COLOR with which a child of which a pipe has
// replaced the terminal uses the colours that it would have used; 0 for none, or where
// the user has decided.
func ForceColor(getenv func(string) string) int {
	if getenv("FORCE_COLOR") != "" {
		return noColor
	}
	return ColorLevel(getenv)
}
