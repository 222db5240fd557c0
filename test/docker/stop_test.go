package docker

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// nginxConfig is nginx as one sets it up for two servers.
const nginxConfig = `
worker_processes 1;
error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off;
  upstream app {
    server %s;
    server %s;
    keepalive 32;
  }
  server {
    listen 3000;
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
`

// Behind a real nginx, docker stop of one of two replicas costs no request. The
// application has no shutdown code.
func TestStopBehindNginx(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ cpus, line string }{
		"one process": {"1", harness.NodeLines[0]},
		"two workers": {"2", harness.NewestLine},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var replicas []application
			for range 2 {
				replicas = append(replicas, runUnmodified(t, c.line, "../testdata/heap", "--cpus", c.cpus))
			}
			for _, r := range replicas {
				r.untilAnswers()
			}
			config := filepath.Join(t.TempDir(), "nginx.conf")
			harness.WriteFile(t, config, fmt.Sprintf(nginxConfig, replicas[0].address(3000), replicas[1].address(3000)), 0o644)
			nginx := runContainer(t, "nginx:bookworm", "--volume", config+":/etc/nginx/nginx.conf:ro")
			nginx.untilAnswers()

			loads := []*harness.Load{harness.StartLoad(t, nginx.address(3000), false), harness.StartLoad(t, nginx.address(3000), true)}
			if status := replicas[0].stop(); status != harness.Terminated {
				t.Errorf("status %d after docker stop, want %d", status, harness.Terminated)
			}
			for _, l := range loads {
				l.Stop()
			}
			replicas[0].checkQuiet()
			if end := replicas[0].report(); !*end.Requested {
				t.Errorf("exit report %+v, want a requested stop", end)
			}
			// Of one process, what arrives just when its socket closes is reset, and nginx
			// asks the other one. nodeinit's own sockets lose nothing.
			if errors := nginx.logs(); c.cpus != "1" && (strings.Contains(errors, "prematurely") || strings.Contains(errors, "reset by peer")) {
				t.Errorf("nginx had to ask again:\n%s", errors)
			}
		})
	}
}

func (c *container) untilAnswers() {
	c.t.Helper()
	harness.WaitUntil(c.t, "the container to answer", func() bool {
		_, err := harness.Get("http://" + c.address(3000) + "/")
		return err == nil
	})
}
