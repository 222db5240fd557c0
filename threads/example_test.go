package threads_test

import (
	"errors"
	"fmt"

	"github.com/nodeinit/nodeinit/threads"
)

func Example() {
	set, err := threads.Make(10) // first in main
	if errors.Is(err, threads.ErrLimit) {
		fmt.Println(err)
		return
	}
	set.Keep(8) // when fewer are needed
	// Output:
}
