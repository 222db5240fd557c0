package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/nodeinit/nodeinit/config"
	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/node"
)

// nested sees to nodeinit below nodeinit, of which only one is to do the work:
// the process becomes what comes after it, and nested does not return. It does
// return where there is no other nodeinit, or where that cannot be executed,
// which is for the rest to tell. Call it before anything else: what is caught
// until then is lost.
//
// Where this one's program is nodeinit, the other one gets the flags of both. It
// is likely to be the one that the image was written for, with this one put in
// front of it (dockerd --init-path).
//
// Where there is something in between, such as a shell, the first one has made
// up its mind by now and waits for this process, or one below it, to join.
func (a *app) nested(args []string) {
	joining := node.BelowNodeinit(a.environ)
	if !joining && !slices.ContainsFunc(args, isNodeinit) {
		return
	}
	var err error
	if a.config, err = config.FromEnviron(a.environ); err != nil {
		return
	}
	rest, dash, err := a.config.Parse(args, a.ownFlags)
	if err != nil || len(rest) == 0 {
		return
	}
	switch {
	case isNodeinit(rest[0]):
		own := args[:len(args)-len(rest)]
		if dash {
			own = own[:len(own)-1]
		}
		a.become(slices.Concat(rest[:1], own, rest[1:]), (*logs.Logger).Debug, "the program is nodeinit itself")
	case joining && (dash || findSubcommand(rest[0]) == nil):
		a.become(rest, (*logs.Logger).Info, "another nodeinit has started this one, and waits for its program to join")
	}
}

// isNodeinit reports whether word is the command nodeinit, by whatever name.
func isNodeinit(word string) bool {
	if filepath.Base(word) == "nodeinit" {
		return true
	}
	if !strings.Contains(word, "/") {
		return false
	}
	file, err := os.Stat(word)
	self, selfErr := os.Stat("/proc/self/exe")
	return err == nil && selfErr == nil && os.SameFile(file, self)
}

// become executes argv in the place of this process, and says why.
func (a *app) become(argv []string, say func(*logs.Logger, string) *logs.Event, why string) {
	file, err := exec.Find(argv[0], exec.Getenv(a.environ, "PATH"))
	if err != nil {
		return
	}
	log := a.openLog()
	say(log, "passing on").Str("reason", why).Str("argv", logs.Truncate(strings.Join(argv, " "))).Send()
	log.Flush(flushTimeout)
	_ = syscall.Exec(file, argv, a.environ)
}
