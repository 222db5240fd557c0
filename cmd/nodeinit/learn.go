package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/supervisor"
)

// grow is asked before the others are started, when w has asked for its first
// server. It returns why there are to be none.
func (f *fleet) grow(w supervisor.Worker) string {
	if why := f.crowded(); why != "" {
		return why
	}
	if f.plan.program.Join != node.JoinLate || f.learned != nil {
		return ""
	}
	if err := f.learn(w.(*worker)); err != nil {
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

// crowded returns why the process limit leaves no room for the other workers, of
// which nobody has asked for so many; "" if it does.
func (f *fleet) crowded() string {
	room, limited := cgroup.ProcessRoom(os.DirFS("/"))
	need := nodeTasks*(f.wanted()-1) + poolTasks
	if !limited || room >= need || !f.plan.fromLimits {
		return ""
	}
	return fmt.Sprintf("the process limit leaves room for %d more, and the other workers need %d (raise docker run --pids-limit)", room, need)
}

// learn finds out how others are started as the process that has joined in w was,
// without what stands before it: what that does is to be done once.
func (f *fleet) learn(w *worker) error {
	pid, told := w.joined.told()
	switch {
	case pid == 0:
		return errors.New("the process that listens is not in the process group of the command")
	case told == nil:
		return errors.New("the process that listens did not tell how it was started (its environment is too large?)")
	case len(told.Argv) == 0:
		return errors.New("the process that listens told a command without a name")
	case !told.Script:
		return errors.New("the process that listens was given no script (node -e, or standard input)")
	}
	if watcher := node.Watcher(pid, w.child.PID); watcher != "" {
		return fmt.Errorf("%q starts the program again, or others beside it, and so has to live (name the program itself: node server.js)", logs.Truncate(watcher))
	}
	if err := sameFiles(told.Files); err != nil {
		return err
	}
	user, err := node.CompareProcess(pid)
	if err != nil {
		return fmt.Errorf("other workers cannot be started as it was: %w", err)
	}
	if !w.joined.lives(pid) {
		return errors.New("the process that listens has ended")
	}
	var env []string
	for key, value := range told.Env {
		env = append(env, key+"="+value)
	}
	slices.Sort(env)
	f.learned = &node.Program{
		Argv: told.Argv, Env: node.WithoutAdded(env, w.env, f.plan.environ), Dir: told.Dir,
		File: told.Path, Credential: user, Runtime: node.RuntimeNode, Join: node.JoinDirect,
	}
	f.log.Info("command learned").Str("file", logs.Truncate(told.Path)).
		Str("argv", logs.Truncate(fmt.Sprintf("%q", told.Argv))).Str("dir", logs.Truncate(told.Dir)).Send()
	return nil
}

// sameFiles compares the root directory and the outputs of a process with
// nodeinit's own.
func sameFiles(its []string) error {
	names := []string{"root directory", "standard output", "standard error"}
	if len(its) != len(names) {
		return errors.New("the process that listens did not tell where its output goes")
	}
	for i, name := range names {
		var stat unix.Stat_t
		err := unix.Stat("/", &stat)
		if i > 0 {
			err = unix.Fstat(i, &stat)
		}
		if err == nil && node.FileID(stat) != its[i] {
			return fmt.Errorf("its %s is another one (a pipe to another command, or a file)", name)
		}
	}
	return nil
}
