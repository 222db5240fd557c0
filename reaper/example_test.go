package reaper_test

import (
	"context"
	"fmt"
	"sync"
	"syscall"

	"github.com/nodeinit/nodeinit/reaper"
)

func Example() {
	var r reaper.Reaper
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var reaping sync.WaitGroup
	reaping.Go(func() { r.Run(ctx) })

	child, err := r.Start(func() (pid int, err error) {
		return syscall.ForkExec("/bin/sh", []string{"sh", "-c", "exit 3"}, nil)
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	<-child.Exited()
	fmt.Println("exit status", child.Status().ExitStatus())
	cancel()
	reaping.Wait()
	// Output: exit status 3
}
