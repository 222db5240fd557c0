package main

import (
	"slices"
	"testing"
	"testing/fstest"
)

func TestLikelyMeant(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		argv []string
		want string
	}{
		{[]string{"--workers", "4"}, "flags of nodeinit stand before --, or set NODEINIT_WORKERS=4"},
		{[]string{"--workers=4", "-g", "node", "a.js"}, "flags of nodeinit stand before --, or set NODEINIT_WORKERS=4, NODEINIT_GROUP=true"},
		{[]string{"--nope"}, "flags of nodeinit stand before --"},
		{[]string{"node server.js"}, `it is one word: write "node", "server.js"`},
		{[]string{"server.js"}, "did you mean node server.js?"},
		{[]string{"./dist/main.mjs", "x"}, "did you mean node ./dist/main.mjs?"},
		{[]string{"explain"}, "subcommands of nodeinit stand before --: docker run --entrypoint /nodeinit IMAGE explain"},
		{[]string{"nodee", "server.js"}, ""},
		{[]string{""}, ""},
	} {
		if got := likelyMeant(c.argv); got != c.want {
			t.Errorf("%q: %q, want %q", c.argv, got, c.want)
		}
	}
}

func TestShellAbove(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cmdline string
		parent  int
		want    []string
		ok      bool
	}{
		{"/bin/sh\x00-c\x00/nodeinit node a.js\x00", 1, []string{"/bin/sh", "-c", "/nodeinit node a.js"}, true},
		{"/bin/sh\x00-c\x00/nodeinit node a.js\x00", 7, nil, false},
		{"/sbin/docker-init\x00--\x00/nodeinit\x00", 1, nil, false},
		{"", 1, nil, false},
	} {
		got, ok := shellAbove(fstest.MapFS{"1/cmdline": {Data: []byte(c.cmdline)}}, c.parent)
		if ok != c.ok || ok && !slices.Equal(got, c.want) {
			t.Errorf("%q, parent %d: %q, %v", c.cmdline, c.parent, got, ok)
		}
	}
}
