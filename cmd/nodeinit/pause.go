package main

import (
	"context"
	"os"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/reaper"
	"github.com/nodeinit/nodeinit/signals"
)

const pauseHelp = `nodeinit pause

Runs no program: reaps orphans until a stop signal comes, then exits with 0. For the
first container of a pod that shares its PID namespace.`

// pause runs no program: it reaps orphans until it is asked to stop.
func (a *app) pause(args []string) int {
	a.signals = signals.Catch()
	rest, code, ok := a.parse("pause", args, nil)
	if !ok {
		return code
	}
	if err := noArguments("pause", rest); err != nil {
		return a.usageError(err)
	}
	log := a.openLog()
	defer log.Flush(flushTimeout)
	a.warnUnknown(log)
	a.becomeSubreaper(log)
	exec.CloseInherited(exec.Inherited())
	log.Info("pausing").Int("pid", os.Getpid()).Send()

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { // for as long as the process: there is nothing after a stop
		rules := a.config.Rules()
		for sig := range a.signals {
			if _, asked := rules.Apply(sig); asked {
				stop()
			}
		}
	}()
	count := 0
	reaper.Pause(ctx, func(pid int) {
		count++
		a.orphanReaped(log, pid).Send()
	})
	log.Flush(flushTimeout) // as in report
	log.Info("exit").Str("cause", "exit").Int("status", 0).Bool("requested", true).Int("orphans", count).Send()
	return 0
}
