package test

import "github.com/nodeinit/nodeinit/internal/testproc"

// roles are what the test binary can be re-executed as; see testproc.
func roles() map[string]func(args []string) {
	return map[string]func(args []string){
		"idle": func([]string) { testproc.Say("up"); testproc.UntilStdinCloses() },
	}
}
