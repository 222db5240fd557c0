package logs_test

import (
	"fmt"
	"strings"

	"github.com/nodeinit/nodeinit/logs"
)

func Example() {
	var lines strings.Builder // a program uses logs.Open(1, logs.JSON, logs.LevelInfo, nil)
	log := logs.New(&lines, logs.Text, logs.LevelInfo, nil)
	log.Info("worker ready").Int("worker", 1).Str("file", logs.Truncate("/app/server.js")).Send()
	log.Debug("signal").Str("signal", "SIGCHLD").Send() // below the level

	_, line, _ := strings.Cut(lines.String(), " ") // without the time
	fmt.Print(line)
	// Output: INF nodeinit worker ready file=/app/server.js worker=1
}
