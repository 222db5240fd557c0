package node_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

func TestMain(m *testing.M) {
	testproc.Main(map[string]func([]string){
		"starter": starter,
		"started": started,
		"primary": primary,
		"closer":  closer,
	})
	os.Exit(m.Run())
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(97)
}
