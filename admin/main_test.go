package admin

import (
	"os"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

func TestMain(m *testing.M) {
	testproc.Main(map[string]func(args []string){
		"server":    serverRole,
		"client":    clientRole,
		"squatter":  squatterRole,
		"discovery": discoveryRole,
		"fewfiles":  fewFilesRole,
		"busy":      busyRole,
		"wrapper":   wrapperRole,
		"blind":     blindRole,
		"listener":  listenerRole,
	})
	os.Exit(m.Run())
}
