package logs

import (
	"fmt"
	"strconv"
	"time"
)

// tagColors are those of workers, one after the other: cyan, yellow, green, magenta,
// blue and bright ones, but not red and not what is hard to read on black or white.
var tagColors = []int{36, 33, 32, 35, 34, 96, 93, 92, 95, 94}

// timeOfDay is the local time on a terminal, for time.Time.AppendFormat.
const timeOfDay = "15:04:05.000"

// Tags returns what makes the text before a line on a terminal: the local time, and
// which of so many workers wrote it, aligned and, with colors, in its own colour.
func Tags(workers int, colors bool) func(Source) []byte {
	const worker, program = "worker ", "program"
	width := len(worker) + len(strconv.Itoa(max(workers-1, 0)))
	return func(s Source) []byte {
		name, color := program, tagColors[0]
		if s.Worker >= 0 {
			name, color = worker+strconv.Itoa(s.Worker), tagColors[s.Worker%len(tagColors)]
		}
		text := append(time.Now().AppendFormat(make([]byte, 0, 48), timeOfDay), ' ')
		if colors {
			return fmt.Appendf(text, "\x1b[%dm%-*s |\x1b[0m ", color, width, name)
		}
		return fmt.Appendf(text, "%-*s | ", width, name)
	}
}
