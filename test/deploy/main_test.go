// Package deploy checks the files of deploy/ against the types of the tools that
// read them, and those for Prometheus and Grafana with a Prometheus that scrapes a
// container.
package deploy

import (
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m, nil) }
