package main

import (
	"context"
	"os"
	osexec "os/exec"
	"strconv"
	"strings"
	"testing"
)

// What a run may not need is made when it is needed: no package of nodeinit makes more at
// init than a few errors. The runtime tells what each one allocates (GODEBUG=inittrace=1,
// package runtime):
//
//	init github.com/nodeinit/nodeinit/config @11 ms, 0.009 ms clock, 88 bytes, 2 allocs
func TestInitMakesNothing(t *testing.T) {
	t.Parallel()
	const ours, most = "github.com/nodeinit/nodeinit/", 256
	command := osexec.CommandContext(context.Background(), os.Args[0], "-test.run=^$")
	command.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	text, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	packages := 0
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 11 || fields[0] != "init" || !strings.HasPrefix(fields[1], ours) {
			continue
		}
		packages++
		if bytes, err := strconv.Atoi(fields[7]); err != nil || bytes > most {
			t.Errorf("%s more than %d bytes", strings.TrimSpace(line), most)
		}
	}
	if packages == 0 { // those without an init are not in the list; config has one
		t.Errorf("no package of nodeinit in\n%s", text)
	}
}
