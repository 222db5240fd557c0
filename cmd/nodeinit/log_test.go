package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/config"
	"github.com/nodeinit/nodeinit/logs"
)

// parsed returns the configuration that args make.
func parsed(t *testing.T, args []string) config.Config {
	t.Helper()
	c := config.Default()
	if _, _, err := c.Parse(args, nil); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLevel(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]logs.Level{
		"": logs.LevelInfo, "-v": logs.LevelDebug, "-vv": logs.LevelTrace, "-vvv": logs.LevelTrace,
		"--log-level warn": logs.LevelWarn, "--log-level error": logs.LevelError, "--log-level off": logs.LevelOff,
		"--log-level trace": logs.LevelTrace, "--log-level trace -v": logs.LevelTrace, "--log-level off -v": logs.LevelDebug,
		"--log-level error -vv": logs.LevelTrace, "--log-level debug --verbose=0": logs.LevelDebug,
	} {
		if got := level(parsed(t, strings.Fields(args)).LogConfig); got != want {
			t.Errorf("%q logs at %v, want %v", args, got, want)
		}
	}
}

// logged returns what write logs, without time and logger.
func logged(write func(*logs.Logger)) string {
	var out bytes.Buffer
	write(logs.New(&out, logs.JSON, logs.LevelDebug, nil))
	var all []string
	for _, line := range lines(out.String()) {
		_, after, _ := strings.Cut(line, ",")
		all = append(all, strings.Replace(after, `,"logger":"nodeinit"`, "", 1))
	}
	return strings.Join(all, "\n")
}

func TestWarnUnknown(t *testing.T) {
	t.Parallel()
	a := app{environ: []string{"NODEINIT_MODES=1", "NODEINIT_GRACE=1", "NODEINIT_GRASE=1", "PATH=/"}}
	want := `"level":"warn","msg":"unknown setting","name":"NODEINIT_GRASE","did_you_mean":"NODEINIT_GRACE"}
"level":"warn","msg":"unknown setting","name":"NODEINIT_MODES","did_you_mean":"NODEINIT_MODE"}`
	if got := logged(a.warnUnknown); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOrphanLevel(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"": `"level":"debug","msg":"orphan reaped","pid":7}`, "-w": `"level":"warn","msg":"orphan reaped","pid":7}`,
	} {
		a := app{config: parsed(t, strings.Fields(args))}
		if got := logged(func(log *logs.Logger) { a.orphanReaped(log, 7).Send() }); got != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
}

// LISTEN_PID that names nodeinit is not the program's; its NODEINIT_ settings are.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	own := fmt.Sprintf("LISTEN_PID=%d", os.Getpid())
	a := app{environ: []string{"B=2", own, "LISTEN_FDS=1", "NODEINIT_GRACE=3", "A=1", "A=2"}}
	got := a.identify([]string{"node"}).Env
	if want := []string{"B=2", "LISTEN_FDS=1", "NODEINIT_GRACE=3", "A=1", "A=2"}; !slices.Equal(got, want) {
		t.Errorf("the program gets %q, want %q", got, want)
	}
}
