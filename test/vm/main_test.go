// Package vm tests nodeinit on cgroup v2, in a virtual machine of QEMU.
package vm

import (
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m, nil) }
