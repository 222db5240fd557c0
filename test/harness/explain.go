package harness

import (
	"encoding/json"
	"reflect"
	"testing"
)

// An Explanation is the part of nodeinit explain --json that is about limits.
type Explanation struct {
	CPUs            *float64 `json:"cpus"`
	MemoryBytes     *int64   `json:"memory_bytes"`
	MemoryHighBytes *int64   `json:"memory_high_bytes"`
	Affinity        int      `json:"affinity"`
	CPUsFrom        *string  `json:"cpus_from"`
	MemoryFrom      *string  `json:"memory_from"`
	Approximate     *bool    `json:"approximate"`
	Workers         int      `json:"workers"`
	Mode            string   `json:"mode"`
	Argv            []string `json:"argv"`
	EnvAdded        []string `json:"env_added"`
	Warnings        []string `json:"warnings"`
}

// ParseExplanation reads the output of nodeinit explain --json.
func ParseExplanation(t *testing.T, text string) (e Explanation) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return e
}

// Check checks that e has the limits of want, found without approximation and
// without a warning.
func (e Explanation) Check(t *testing.T, want Explanation) {
	t.Helper()
	if e.Approximate == nil || *e.Approximate || len(e.Warnings) > 0 {
		t.Errorf("the own cgroup is in sight, but explained: %s", AsJSON(t, e))
	}
	e.Approximate, e.Mode, e.Argv, e.EnvAdded, e.Warnings = nil, "", nil, nil, nil
	if !reflect.DeepEqual(e, want) {
		t.Errorf("explained\n%s\nwant\n%s", AsJSON(t, e), AsJSON(t, want))
	}
}

// AsJSON returns v as indented JSON, for messages.
func AsJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// MiB is 1,048,576 bytes.
const MiB = 1 << 20
