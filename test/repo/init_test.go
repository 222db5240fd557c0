package repo

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// TestInit: GOMAXPROCS is set before what allocates is initialised, and no package is
// that would be of use to HTTPS only.
func TestInit(t *testing.T) {
	t.Parallel()
	command := exec.Command(harness.Nodeinit, "version")
	command.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	var packages []string
	for _, m := range regexp.MustCompile(`(?m)^init (\S+) @`).FindAllStringSubmatch(string(output), -1) {
		packages = append(packages, m[1])
	}
	first, io := slices.Index(packages, "github.com/nodeinit/nodeinit/gomaxprocs"), slices.Index(packages, "io")
	if first < 0 || io < 0 || first > io {
		t.Errorf("gomaxprocs is not before io: %q", packages)
	}
	for _, name := range packages {
		root, _, _ := strings.Cut(name, "/")
		if slices.Contains([]string{"crypto", "compress", "mime", "hash"}, root) || name == "net/http" {
			t.Errorf("%s is initialised", name)
		}
	}
}
