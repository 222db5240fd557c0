// Package harness is what the tests of test/ have in common: the nodeinit under
// test and how it is started, its log, the Node versions and the clients.
// What one group of tests alone needs is in the directory of that group.
package harness

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// Nodeinit is the path of the binary under test. Main sets it.
var Nodeinit string

var binary = flag.String("bin", "", "the nodeinit to test; built from source if empty")

// Main is the TestMain of a package of tests, with the roles in which its test
// binary can be re-executed (see testproc). It does not return.
func Main(m *testing.M, roles map[string]func(args []string)) {
	testproc.Main(roles)
	flag.Parse()
	path, err := build(*binary)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	Nodeinit = path
	os.Exit(m.Run())
}

// build returns the path of binary, or of one made from the source if it is "".
func build(binary string) (string, error) {
	if binary != "" {
		return filepath.Abs(binary)
	}
	make := exec.Command("make", "--silent", "build")
	make.Dir, make.Stderr = "../..", os.Stderr
	if err := make.Run(); err != nil {
		return "", fmt.Errorf("make build: %w", err)
	}
	return filepath.Abs("../../bin/nodeinit")
}
