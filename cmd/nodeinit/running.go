package main

import (
	"io/fs"
	"strconv"
	"strings"

	"github.com/nodeinit/nodeinit/config"
)

// A runningInit is a nodeinit that runs a program, as far as /proc tells.
type runningInit struct {
	config      config.Config
	args, argv  []string // its command line, and that of the program in it
	environ     []string
	environRead bool // else environ is a guess
}

// running returns the nodeinit that process pid is; ok is false if it is none, or runs
// no program. proc is /proc, and guess its environment if that cannot be read.
func running(proc fs.FS, pid int, guess []string) (r runningInit, ok bool) {
	r.args, _ = readProcess(proc, pid, "cmdline")
	if len(r.args) == 0 || !isNodeinit(r.args[0]) {
		return runningInit{}, false
	}
	environ, err := readProcess(proc, pid, "environ")
	if r.environ, r.environRead = environ, err == nil; err != nil {
		r.environ = guess
	}
	if r.config, err = config.FromEnviron(r.environ); err != nil {
		return runningInit{}, false
	}
	var dash bool
	r.argv, dash, err = r.config.Parse(r.args[1:], nil)
	return r, err == nil && len(r.argv) > 0 && (dash || findSubcommand(r.argv[0]) == nil)
}

// readProcess returns the values in a file of a process, each of which ends with a zero
// byte.
func readProcess(proc fs.FS, pid int, name string) ([]string, error) {
	text, err := fs.ReadFile(proc, strconv.Itoa(pid)+"/"+name)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00"), nil
}
