package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/supervisor"
)

// grow is called when w, the only one of so many workers, has asked for its first
// server. It returns why no others are to be started, "" if they are.
func (s *starter) grow(w *supervisor.Worker, workers int) string {
	if why := s.crowded(workers); why != "" {
		return why
	}
	if s.plan.Program.Join != node.JoinLate || s.learned != nil {
		return ""
	}
	if err := s.learn(w.Process.(*process)); err != nil {
		return err.Error()
	}
	return ""
}

const (
	// nodeTasks is how many threads a Node process has, with those of its pool, which
	// it makes when it needs them: without room it ends then (libuv, init_threads).
	nodeTasks = 11
	// poolTasks are those of the first worker's pool.
	poolTasks = 4
)

// crowded returns why the process limit leaves no room for the other workers; ""
// if it does, or if the user has said how many workers there are to be.
func (s *starter) crowded(workers int) string {
	room, limited := s.group.ProcessRoom()
	need := nodeTasks*(workers-1) + poolTasks
	if !limited || room >= need || !s.plan.Count.FromLimits {
		return ""
	}
	return fmt.Sprintf("the process limit leaves room for %d more, and the other workers need %d "+
		"(raise docker run --pids-limit)", room, need)
}

// learn finds out how other workers are started as the process below p was that
// has joined, but without the wrapper: what the wrapper does is to be done once.
func (s *starter) learn(p *process) error {
	pid, command := p.joined.reported()
	switch {
	case pid == 0:
		return errors.New("the process that listens is not in the process group of the command")
	case command == nil:
		return errors.New("the process that listens did not tell how it was started (its environment is too large?)")
	case len(command.Argv) == 0:
		return errors.New("the process that listens told a command without a name")
	case !command.Script:
		return errors.New("the process that listens was given no script (node -e, or standard input)")
	}
	if watcher := node.Watcher(pid, p.PID); watcher != "" {
		return fmt.Errorf("%q starts the program again, or others beside it, and so has to live "+
			"(name the program itself: node server.js)", logs.Truncate(watcher))
	}
	if err := sameFiles(command.Files, p.outputs); err != nil {
		return err
	}
	user, err := node.CompareProcess(pid)
	if err != nil {
		return fmt.Errorf("other workers cannot be started as it was: %w", err)
	}
	if !p.joined.runs(pid) {
		return errors.New("the process that listens has ended")
	}
	var env []string
	for key, value := range command.Env {
		env = append(env, key+"="+value)
	}
	slices.Sort(env)
	s.learned = &node.Program{
		Argv: command.Argv, Env: node.WithoutAdded(env, p.env, s.plan.Environ), Dir: command.Dir,
		File: command.Path, Credential: user, Runtime: node.RuntimeNode, Join: node.JoinDirect,
	}
	s.log.Info("command learned").Str("file", logs.Truncate(command.Path)).
		Str("argv", logs.Truncate(fmt.Sprintf("%q", command.Argv))).Str("dir", logs.Truncate(command.Dir)).Send()
	return nil
}

// sameFiles compares the root directory of a process with nodeinit's own, and its
// outputs with those that the wrapper above it was started with.
func sameFiles(its []string, outputs [2]string) error {
	names := []string{"root directory", "standard output", "standard error"}
	if len(its) != len(names) {
		return errors.New("the process that listens did not tell where its output goes")
	}
	root := ""
	var stat unix.Stat_t
	if unix.Stat("/", &stat) == nil {
		root = node.FileID(stat)
	}
	for i, want := range []string{root, outputs[0], outputs[1]} {
		if want != "" && want != its[i] {
			return fmt.Errorf("its %s is another one (a pipe to another command, or a file)", names[i])
		}
	}
	return nil
}

// outputFiles returns the identities of the files that a process with these pipes has as
// its outputs.
func outputFiles(pipes *logs.Pipes) (files [2]string) {
	for i, fd := range []int{cmp.Or(pipes.Stdout, unix.Stdout), cmp.Or(pipes.Stderr, unix.Stderr)} {
		var stat unix.Stat_t
		if unix.Fstat(fd, &stat) == nil {
			files[i] = node.FileID(stat)
		}
	}
	return files
}
