package logs_test

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/logs"
)

func TestMain(m *testing.M) {
	testproc.Main(map[string]func([]string){
		"unheard": unheard, "through": through, "same": same, "small": small, "half": half, "stalled": stalled, "flood": flood, "restarts": restarts,
	})
	os.Exit(m.Run())
}

// A write to a closed stdout raises SIGPIPE, which ends a Go program that uses
// os.Stdout for it.
func TestClosedStdoutIsSurvived(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	p := testproc.Command{Argv: testproc.Argv("unheard"), Stdout: w}.Start(t)
	w.Close()
	p.Expect("logged", "EPIPE: true", "alive")
	p.WaitCode(0)
}

func unheard([]string) {
	log := logs.Open(logs.NewOutput(unix.Stdout), logs.JSON, logs.LevelInfo, nil, nil)
	for range 10 {
		log.Info("nobody hears this").Send()
	}
	log.Flush(testproc.HangLimit)
	testproc.Say("logged")
	_, err := unix.Write(unix.Stdout, []byte("x"))
	testproc.Say("EPIPE: %v", errors.Is(err, unix.EPIPE))
	testproc.Say("alive")
}
