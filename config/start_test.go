package config

import "testing"

// A run that sets nothing does not list the settings: that takes 60 KB, of which each page
// is a page fault at the start.
func TestNothingSetTakesNoMemory(t *testing.T) {
	environ, args := []string{"PATH=/bin", "HOME=/root", "NODE_ENV=production"}, []string{"--", "node", "server.js"}
	const most = 12 // pflag's set, and the maps that nothing is put in
	got := testing.AllocsPerRun(100, func() {
		c, err := FromEnviron(environ)
		if err == nil {
			_, _, err = c.Parse(args, nil)
		}
		if err == nil {
			err = c.Check()
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, needs := range []string{"mode", "workers", "agent", "channel", "metrics", "health"} {
			if list := c.Given(needs); list != nil {
				t.Fatalf("given are %q", list)
			}
		}
		if text := c.LongGrace(); text != "" || len(Unknown(environ)) > 0 {
			t.Fatal(text, Unknown(environ))
		}
	})
	if got > most {
		t.Errorf("%v allocations, more than %d", got, most)
	}
}
