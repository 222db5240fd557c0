package cgroup_test

import (
	"testing"
	"testing/fstest"

	"github.com/nodeinit/nodeinit/cgroup"
)

func TestProcessRoom(t *testing.T) {
	t.Parallel()
	const v1, v2 = "5:pids:/\n0::/\n", "0::/app/inner\n"
	const mount1 = "30 23 0:26 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
	const mount2 = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
	for name, c := range map[string]struct {
		cgroups, mounts string
		files           map[string]string
		room            int
		limited         bool
	}{
		"v1":                 {v1, mount1, map[string]string{"pids/pids.max": "20\n", "pids/pids.current": "9\n"}, 11, true},
		"v1, none":           {v1, mount1, map[string]string{"pids/pids.max": "max\n", "pids/pids.current": "9\n"}, 0, false},
		"v2, the outer one":  {v2, mount2, map[string]string{"app/inner/pids.max": "max\n", "app/inner/pids.current": "2\n", "app/pids.max": "100\n", "app/pids.current": "60\n"}, 40, true},
		"v2, the inner one":  {v2, mount2, map[string]string{"app/inner/pids.max": "5\n", "app/inner/pids.current": "2\n", "app/pids.max": "100\n", "app/pids.current": "60\n"}, 3, true},
		"v2, no controller":  {v2, mount2, map[string]string{"app/inner/cpu.max": "max 100000\n"}, 0, false},
		"malformed":          {v1, mount1, map[string]string{"pids/pids.max": "x\n", "pids/pids.current": "9\n"}, 0, false},
		"no files, no mount": {"", "", nil, 0, false},
	} {
		root := fstest.MapFS{}
		for file, text := range c.files {
			root["sys/fs/cgroup/"+file] = &fstest.MapFile{Data: []byte(text)}
		}
		if c.cgroups != "" {
			root["proc/self/cgroup"] = &fstest.MapFile{Data: []byte(c.cgroups)}
			root["proc/self/mountinfo"] = &fstest.MapFile{Data: []byte(c.mounts)}
		}
		if room, limited := cgroup.Find(root).ProcessRoom(); room != c.room || limited != c.limited {
			t.Errorf("%s: room for %d, limited: %v", name, room, limited)
		}
	}
}
