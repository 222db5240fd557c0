package cgroup

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestParseCPUMax(t *testing.T) {
	for text, want := range map[string]float64{
		"max 100000\n":      0,
		"150000 100000\n":   1.5,
		"150000 100000":     1.5,
		"150000 100000\r\n": 1.5,
		"1000 1000000\n":    0.001,
	} {
		if got, err := parseCPUMax(text); got != want || err != nil {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "\n", "max", "100000", "100000 0", "0 100000", "-1 100000", "1 -1", "+1 1", "1.5 1", "1e5 1",
		"0x10 1", "1_0 1", "100000 max", "1 1 1", "1\x00 1", "1 1\x00", "99999999999999999999 1", "\xff 1",
	} {
		if got, err := parseCPUMax(text); got != 0 || err == nil {
			t.Errorf("%q: %v, %v; want an error", text, got, err)
		}
	}
}

func TestParseMemory(t *testing.T) {
	for text, want := range map[string]int64{
		"max\n":                  0,
		"536870912\n":            536870912,
		" 536870912\r\n":         536870912,
		"4611686018427387903\n":  1<<62 - 1,
		"4611686018427387904\n":  0, // 4 EiB
		"9223372036854771712\n":  0, // 4K pages
		"9223372036854710272\n":  0, // 64K pages
		"9223372036854513664\n":  0, // 256K pages
		"9223372036854775807\n":  0, // kernels before 3.19
		"18446744073709551615\n": 0, // kernels before 3.16
	} {
		if got, err := parseMemory(text); got != want || err != nil {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "-1", "64M", "1 2", "1\x00", "max max", "99999999999999999999"} {
		if got, err := parseMemory(text); got != 0 || err == nil {
			t.Errorf("%q: %v, %v; want an error", text, got, err)
		}
	}
}

func TestParseCPUs(t *testing.T) {
	for list, want := range map[string]int{"0": 1, "0-3": 4, "0-3,8": 5, "7,9-10": 3, "0-8191": 8192} {
		if got, err := parseCPUList(list); got != want || err != nil {
			t.Errorf("%q: %v, %v; want %v", list, got, err, want)
		}
	}
	for _, list := range []string{"", ",", "0,", "3-0", "0-", "-3", "0-3,3", "5,1", "0-3-5", "a", "0-9999999", "0-18446744073709551615"} {
		if got, err := parseCPUList(list); got != 0 || err == nil {
			t.Errorf("%q: %v, %v; want an error", list, got, err)
		}
	}
	for mask, want := range map[string]int{"1": 1, "ff": 8, "ff,ffffffff": 40, "80000000,00000000": 1} {
		if got, err := parseCPUMask(mask); got != want || err != nil {
			t.Errorf("%q: %v, %v; want %v", mask, got, err, want)
		}
	}
	for _, mask := range []string{"", "0", "g", "f,", "fffffffff", "-1"} {
		if got, err := parseCPUMask(mask); got != 0 || err == nil {
			t.Errorf("%q: %v, %v; want an error", mask, got, err)
		}
	}
}

func TestParseMount(t *testing.T) {
	for line, want := range map[string]mount{
		`30 29 0:23 / /cg\040\134roup rw - cgroup2 cgroup rw`:                    {"/", `/cg \roup`, []string{unified}},
		`78 77 0:29 /a\011b /sys/fs/cgroup/cpu,cpuacct ro m:1 - cgroup x rw,cpu`: {"/a\tb", "/sys/fs/cgroup/cpu,cpuacct", []string{"rw", "cpu"}},
		`26 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw`:                {"/", "/", nil},
		`26 1 0:4 net:[4026532] /run/netns/x rw - nsfs nsfs rw`:                  {"net:[4026532]", "/run/netns/x", nil},
		`30 29 0:23 / /a\09x\ rw - cgroup2 - rw`:                                 {"/", `/a\09x\`, []string{unified}},
		`30 29 0:23 / /a\777 rw - cgroup2 - rw`:                                  {"/", `/a\777`, []string{unified}},
	} {
		if got, err := parseMount(line); !reflect.DeepEqual(got, want) || err != nil {
			t.Errorf("%s: %+v, %v; want %+v", line, got, err, want)
		}
	}
}

func TestBelow(t *testing.T) {
	for _, c := range []struct {
		root, own, want string
		ok              bool
	}{
		{"/", "/", "/", true},
		{"/", "/a/b", "/a/b", true},
		{"/a", "/a", "", true},
		{"/a", "/a/b", "/b", true},
		{"/a", "/ab", "", false},
		{"/a/b", "/a", "", false},
		{"/", "/../a", "", false},
		{"/../..", "/", "", false},
		{"/..", "/../a", "/a", true},
		{"/..", "/../../a", "", false},
		{"/", "/a..b", "/a..b", true},
	} {
		if got, ok := (mount{root: c.root}).below(c.own); got != c.want || ok != c.ok {
			t.Errorf("%s in a mount of %s: %q, %v; want %q, %v", c.own, c.root, got, ok, c.want, c.ok)
		}
	}
}

func TestFind(t *testing.T) {
	const text = "oom 1\noom_kill 2\noom_group_kill 3\nMemTotal:\t 4 kB\nsome avg10=0.00 total=5\nempty \n"
	for key, want := range map[string]string{
		"oom": "1", "oom_kill": "2", "MemTotal:": "4 kB", "some": "avg10=0.00 total=5", "empty": "",
	} {
		if got, ok := find(text, key); got != want || !ok {
			t.Errorf("%q: %q, %v; want %q", key, got, ok, want)
		}
	}
	for _, key := range []string{"oo", "kill", "1", "MemTotal", "full"} {
		if got, ok := find(text, key); ok {
			t.Errorf("%q: %q; want none", key, got)
		}
	}
}

func FuzzCPUMax(f *testing.F) {
	for _, text := range []string{"max 100000\n", "150000 100000\n", "100000", "-1 0", "18446744073709551615 1", "1 \x00"} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, text, period string) {
		cpus, err := parseCPUMax(text)
		checkQuota(t, cpus, err)
		cpus, err = parseCFS(text, period)
		checkQuota(t, cpus, err)
	})
}

func checkQuota(t *testing.T, cpus float64, err error) {
	if cpus < 0 || math.IsInf(cpus, 0) || math.IsNaN(cpus) || err != nil && cpus != 0 {
		t.Errorf("%v, %v", cpus, err)
	}
}

func FuzzMemory(f *testing.F) {
	for _, text := range []string{"max\n", "0", "-1", "536870912\n", "9223372036854771712", "18446744073709551616", "16 kB", "1\r\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(string) (int64, error){parseMemory, parseMemTotal} {
			if size, err := parse(text); size < 0 || err != nil && size != 0 {
				t.Errorf("%d, %v", size, err)
			}
		}
	})
}

func FuzzCPUList(f *testing.F) {
	for _, text := range []string{"0", "0-3,8", "ff,ffffffff", "0-18446744073709551615", "3-0", ",", "0-1048575"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(string) (int, error){parseCPUList, parseCPUMask} {
			if count, err := parse(text); (err == nil) != (count > 0) {
				t.Errorf("%d, %v", count, err)
			}
		}
	})
}

func FuzzKeyValue(f *testing.F) {
	f.Add("oom 1\noom_kill 2\n", "oom_kill")
	f.Add("MemTotal:  16 kB\r\n", "MemTotal:")
	f.Add("some avg10=NaN total=-1\nfull avg10=1e999 total=99999999999999999999", "some")
	f.Add("\n\n \x00", "")
	f.Fuzz(func(t *testing.T, text, key string) {
		value, ok := find(text, key)
		if !ok && value != "" || !strings.Contains(text, value) || strings.Contains(value, "\n") {
			t.Errorf("%q, %v", value, ok)
		}
		if c := counter(text, key); c.Known && !ok {
			t.Errorf("a counter %d out of nothing", c.Value)
		}
		p := parsePressure(text)
		for _, stall := range []Stall{p.Some, p.Full} {
			if !(stall.Avg10 >= 0) || math.IsInf(stall.Avg10, 0) || stall.Total < 0 {
				t.Errorf("%+v", p)
			}
		}
	})
}

func FuzzMountinfo(f *testing.F) {
	f.Add("30 29 0:23 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "0::/\n")
	f.Add("78 77 0:29 /a\\011b /c\\134 ro shared:1 master:2 - cgroup  rw,cpu\n", "4:cpu,cpuacct:/a:b\n")
	f.Add("1 2 3 /.. / rw - cgroup2 x rw\n", "0::/../../a (deleted)\n")
	f.Fuzz(func(t *testing.T, mountinfo, cgroup string) {
		memberships, _ := parseMemberships(cgroup)
		mounts, _ := parseMounts(mountinfo)
		for _, m := range mounts {
			if !strings.HasPrefix(m.point, "/") || len(m.controllers) == 0 {
				t.Errorf("%+v", m)
			}
			for _, own := range memberships {
				if rel, ok := m.below(own); ok && !strings.HasSuffix(own, rel) || !ok && rel != "" {
					t.Errorf("%s is in %+v at %q, %v", own, m, rel, ok)
				}
			}
		}
	})
}
