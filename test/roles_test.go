package test

import "github.com/nodeinit/nodeinit/internal/testproc"

// roles are what the test binary can be re-executed as; see testproc. Each is
// next to the tests that use it.
func roles() map[string]func(args []string) {
	return map[string]func(args []string){
		"idle":          func([]string) { testproc.Say("up"); testproc.UntilStdinCloses() },
		"catcher":       catcher,
		"pair":          pair,
		"nolimits":      nolimits,
		"ancestor":      ancestor,
		"descendant":    descendant,
		"nursery":       nursery,
		"rain":          rain,
		"orphaner":      orphaner,
		"orphan-parent": orphanParent,
		"orphan":        orphan,
		"mortal":        mortal,
		"stubborn":      stubborn,
		"suspended":     suspended,
		"leaver":        leaver,
		"bystander":     bystander,
		"forbidden":     forbidden,
		"nobody":        nobody,
		"usurper":       usurper,
		"linkup":        linkUp,
		"arguments":     arguments,
		"hostile":       hostile,
		"fewfiles":      fewfiles,
		"passes":        passes,
		"closed":        closed,
		"stuffed":       stuffed,
		"lines":         lines,
		"jobshell":      jobshell,
		"tostop":        tostop,
		"asker":         asker,
		"host":          host,
		"rawworker":     rawWorker,
	}
}
