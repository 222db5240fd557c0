// Package pid1 tests nodeinit as PID 1, or beside it, with programs of all
// kinds. It needs Go, Node and make only.
package pid1

import (
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m, roles()) }

// roles are what the test binary can be re-executed as; see testproc. Each is
// next to the tests that use it.
func roles() map[string]func(args []string) {
	return map[string]func(args []string){
		"idle":          func([]string) { testproc.Say("up"); testproc.UntilStdinCloses() },
		"catcher":       harness.Catcher,
		"pair":          pair,
		"nolimits":      nolimits,
		"ancestor":      harness.Ancestor,
		"descendant":    harness.Descendant,
		"nursery":       nursery,
		"rain":          rain,
		"orphaner":      orphaner,
		"orphan-parent": orphanParent,
		"orphan":        orphan,
		"mortal":        mortal,
		"stubborn":      stubborn,
		"suspended":     suspended,
		"clinging":      clinging,
		"leaver":        harness.Leaver,
		"bystander":     bystander,
		"forbidden":     forbidden,
		"nobody":        harness.Nobody,
		"nowhere":       nowhere,
		"closedoff":     closedoff,
		"usurper":       usurper,
		"arguments":     arguments,
		"hostile":       hostile,
		"fewfiles":      fewfiles,
		"passes":        passes,
		"closed":        closed,
		"stuffed":       stuffed,
		"lines":         lines,
		"speaker":       speaker,
		"outputs":       outputs,
		"burst":         burst,
		"flooder":       flooder,
		"nofiles":       nofiles,
		"jobshell":      harness.JobShell,
		"tostop":        tostop,
		"asker":         asker,
		"host":          host,
		"squatted":      squatted,
		"squatter":      squatter,
	}
}
