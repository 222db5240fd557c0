package threads_test

import (
	"fmt"
	"runtime"

	"github.com/nodeinit/nodeinit/threads"
)

func Example() {
	set := threads.New() // first in main
	// What has to be done soon comes here.
	if err := set.Make(8, 0, func(f func()) { f() }); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(runtime.GOMAXPROCS(0))
	// Output: 1
}
