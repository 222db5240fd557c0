package reaper_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/reaper"
)

func TestRSS(t *testing.T) {
	t.Parallel()
	page := int64(unix.Getpagesize())
	root := fstest.MapFS{
		"proc/7/statm": {Data: []byte("2500 1200 800 1 0 900 0\n")},
		"proc/8/statm": {Data: []byte("")},
	}
	if got, err := reaper.RSS(root, 7); got != 1200*page || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
	for pid, want := range map[int]string{8: "resident set: /proc/8/statm: ", 9: "resident set: open proc/9/statm: "} {
		if got, err := reaper.RSS(root, pid); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("pid %d: got %d, %v", pid, got, err)
		}
	}
}
