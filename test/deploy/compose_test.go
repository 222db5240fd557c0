package deploy

import (
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

const composeFile = "../../deploy/compose/compose.yaml"

// The file in the eyes of today's Docker Compose, whose loader this is.
func TestComposeFile(t *testing.T) {
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  "../../deploy/compose",
		ConfigFiles: []types.ConfigFile{{Filename: composeFile}},
	}, func(o *loader.Options) { o.SetProjectName("example", true) })
	if err != nil {
		t.Fatal(err)
	}
	app, ok := project.Services["app"]
	if !ok || app.StopGracePeriod == nil || app.Environment["NODEINIT_GRACE"] == nil {
		t.Fatal("service app needs stop_grace_period and NODEINIT_GRACE")
	}
	grace, err := time.ParseDuration(*app.Environment["NODEINIT_GRACE"])
	if err != nil {
		t.Fatal(err)
	}
	if stop := time.Duration(*app.StopGracePeriod); stop <= grace {
		t.Errorf("Docker kills after %v, within the grace time of %v", stop, grace)
	}
	if app.GetScale() != 2 {
		t.Errorf("%d replicas, want 2", app.GetScale())
	}
}
