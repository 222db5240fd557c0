package files_test

import (
	"fmt"
	"io/fs"

	"github.com/nodeinit/nodeinit/files"
)

func Example() {
	text, err := fs.ReadFile(files.Dir("/"), "proc/self/comm")
	fmt.Println(len(text) > 0, err)
	// Output: true <nil>
}
