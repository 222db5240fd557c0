package main

import (
	"context"
	"os"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/reaper"
)

// pause runs no program: it reaps orphans until it is asked to stop.
func (a *app) pause(args []string) int {
	set := flagSet(&a.config)
	if code, ok := a.parseSub("pause", set, args); !ok {
		return code
	}
	if err := noArguments("pause", set.Args()); err != nil {
		return a.misused(err)
	}
	log := a.openLog()
	defer log.Flush(flushPatience)
	a.warnUnknown(log)
	if err := a.adopt(); err != nil {
		log.Warn("not a subreaper").Err(err).Send()
	}
	exec.CloseInherited(exec.Inherited())
	log.Info("pausing").Int("pid", os.Getpid()).Send()

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { // for as long as the process: there is nothing after a stop
		rules := a.config.rules()
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
	log.Flush(flushPatience) // as in report
	log.Info("exit").Str("cause", "exit").Int("status", 0).Bool("requested", true).Int("orphans", count).Send()
	return 0
}
