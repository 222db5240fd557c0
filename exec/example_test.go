package exec_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/reaper"
)

func Example() {
	runtime.LockOSThread() // the thread that forks must outlive the child
	defer runtime.UnlockOSThread()

	path, err := exec.Find("sh", "/usr/bin:/bin")
	if err != nil {
		fmt.Println(err)
		return
	}
	var r reaper.Reaper
	child, err := exec.Command{
		Path:       path,
		Argv:       []string{"sh", "-c", "exit $CODE"},
		Env:        exec.Setenv(os.Environ(), map[string]string{"CODE": "3"}),
		Background: true,
	}.Start(&r)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var reaping sync.WaitGroup
	reaping.Go(func() { r.Run(ctx) })
	<-child.Exited()
	fmt.Println("exit status", child.Status().ExitStatus())
	cancel()
	reaping.Wait()
	// Output: exit status 3
}

func ExampleExitCode() {
	_, err := exec.Find("no-such-command", "/usr/bin:/bin")
	fmt.Println(err)
	fmt.Println(exec.ExitCode(err))
	// Output:
	// "no-such-command": command not found (is it in the image, and its directory in PATH?)
	// 127
}
