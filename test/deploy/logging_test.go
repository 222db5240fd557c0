package deploy

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"go.yaml.in/yaml/v3"

	"github.com/nodeinit/nodeinit/test/harness"
)

// TestLoggingECS: the members of a container that docs/logging.md shows are those that ECS has.
func TestLoggingECS(t *testing.T) {
	for _, name := range []string{"awslogs", "firelens"} {
		text := `{"containerDefinitions":[{` + harness.Block(t, "docs/logging.md", "json "+name) + `}]}`
		var input ecs.RegisterTaskDefinitionInput
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&input); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLoggingYAML: what docs/logging.md shows is YAML at least.
func TestLoggingYAML(t *testing.T) {
	for _, name := range []string{"datadog", "filebeat", "promtail", "otel"} {
		var all map[string]any
		if err := yaml.Unmarshal([]byte(harness.Block(t, "docs/logging.md", "yaml "+name)), &all); err != nil || len(all) == 0 {
			t.Errorf("%s: %v, error %v", name, all, err)
		}
	}
}
