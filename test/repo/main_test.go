// Package repo tests what the repository says of itself: README, make run, the order of imports,
// and the size of files, functions and types.
package repo

import (
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m, nil) }
