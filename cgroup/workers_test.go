package cgroup

import "testing"

func TestWorkers(t *testing.T) {
	const MiB = 1 << 20
	for _, c := range []struct {
		limits     Limits
		n          int
		arithmetic string
	}{
		{Limits{CPU: 1.5, Affinity: 4, Memory: 512 * MiB, MemTotal: 1024 * MiB}, 2,
			"1.5 CPUs rounds to 2, 4 in the affinity mask, 512 MiB / 256 MiB = 2"},
		{Limits{CPU: 1.499999, Affinity: 4}, 1, "1.499999 CPUs rounds to 1, 4 in the affinity mask, no memory limit"},
		{Limits{CPU: 0.001, Affinity: 4}, 1, "0.001 CPUs rounds to 1, 4 in the affinity mask, no memory limit"},
		{Limits{CPU: 10.0 / 3, Affinity: 4}, 3, "3.333333 CPUs rounds to 3, 4 in the affinity mask, no memory limit"},
		{Limits{CPU: 20.0000001, Affinity: 4}, 4, "20 CPUs rounds to 20, 4 in the affinity mask, no memory limit"},
		{Limits{CPU: 1, Affinity: 4}, 1, "1 CPU, 4 in the affinity mask, no memory limit"},
		{Limits{CPU: 10, Affinity: 4}, 4, "10 CPUs, 4 in the affinity mask, no memory limit"},
		{Limits{CPU: 8, Affinity: 16, Memory: 767 * MiB}, 2, "8 CPUs, 16 in the affinity mask, 767 MiB / 256 MiB = 2"},
		{Limits{Affinity: 8, Memory: 64 * MiB}, 1, "no CPU quota, 8 in the affinity mask, 64 MiB / 256 MiB is at least 1"},
		{Limits{Affinity: 8, MemTotal: 512 * MiB, MemoryHigh: 1}, 2, "no CPU quota, 8 in the affinity mask, 512 MiB / 256 MiB = 2"},
		{Limits{Affinity: 8, Memory: 1024 * MiB}, 4, "no CPU quota, 8 in the affinity mask, 1024 MiB / 256 MiB = 4"},
		{Limits{CPU: 1e300, Affinity: 8}, 8, ""},
		{Limits{CPU: 5e-324}, 1, ""},
		{Limits{}, 1, "no CPU quota, 0 in the affinity mask, no memory limit"},
	} {
		n, arithmetic := c.limits.Workers()
		if n != c.n || c.arithmetic != "" && arithmetic != c.arithmetic {
			t.Errorf("%+v:\n%d: %s\nwant %d: %s", c.limits, n, arithmetic, c.n, c.arithmetic)
		}
	}
}
