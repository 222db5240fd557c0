// Package test runs nodeinit as its users do: as a real PID 1, in real
// containers, in front of real Node.
package test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// nodeinit is the binary under test.
var nodeinit string

func TestMain(m *testing.M) {
	testproc.Main(roles())
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	binary := flag.String("bin", "", "the nodeinit to test; built from source if empty")
	flag.Parse()
	if *binary != "" {
		path, err := filepath.Abs(*binary)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		nodeinit = path
		return m.Run()
	}
	build := exec.Command("make", "--silent", "build")
	build.Dir, build.Stderr = "..", os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintf(os.Stderr, "make build: %v\n", err)
		return 1
	}
	path, err := filepath.Abs("../bin/nodeinit")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	nodeinit = path
	return m.Run()
}
