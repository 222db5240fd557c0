package admin_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nodeinit/nodeinit/admin"
)

var update = flag.Bool("update", false, "write the golden files")

// What status prints is compared with testdata/NAME.txt, and no line is longer than the
// width that it was asked for.
func TestText(t *testing.T) {
	for name, d := range documents() {
		for _, width := range []int{80, 40, 132} {
			file := fmt.Sprintf("testdata/%s-%d.txt", name, width)
			if width == 80 {
				file = "testdata/" + name + ".txt"
			} else if name != "reload" && name != "hundred" {
				continue
			}
			lines := d.Text(width)
			expectNarrow(t, name, lines, width)
			text := strings.Join(lines, "\n") + "\n"
			if *update {
				if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if text != string(want) {
				t.Errorf("%s is\n%swant\n%s", file, text, want)
			}
		}
	}
}

// expectNarrow checks that lines have at most so many columns, and nothing that a
// terminal would obey. The wide characters of these tests are all above U+1100.
func expectNarrow(t *testing.T, name string, lines []string, width int) {
	t.Helper()
	for _, line := range lines {
		columns := 0
		for _, r := range line {
			columns++
			if r >= 0x1100 {
				columns++
			}
			if r < ' ' || r >= 0x7f && r < 0xa0 {
				t.Errorf("%s: %q has control characters", name, line)
			}
		}
		if columns > width || !utf8.ValidString(line) {
			t.Fatalf("%s: %q has %d columns, want %d at most", name, line, columns, width)
		}
	}
}

// Whatever the values, at 80 columns all columns are there, and from 20 columns on no
// line is too long.
func TestTextOfAnyValues(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		d := randomDocument(random)
		for _, width := range []int{20, 33, 64, 80, 81, 200} {
			lines := d.Text(width)
			expectNarrow(t, "random", lines, width)
		}
		title, rows, _ := d.Table(80)
		if got := len(strings.Fields(title)); got != 12 {
			t.Fatalf("%d columns, want 12, in\n%s\n%s", got, title, strings.Join(rows, "\n"))
		}
	}
}

func TestTableWhereNothingFits(t *testing.T) {
	d := documents()["hundred"]
	for width := -3; width < 20; width++ {
		d.Text(width)
	}
}

func pointer[T any](v T) *T { return &v }

// documents are those of golden files.
func documents() map[string]*admin.Document {
	return map[string]*admin.Document{
		"reload": {
			Nodeinit: admin.Process{Version: "0.1.0", PID: 1, Uptime: 11532, Resident: pointer[int64](5300000)},
			Mode:     "per-core", State: "running", Ready: 2, Want: 2, Scaled: true, Change: "reload",
			Argv:   []string{"node", "server.js"},
			Limits: admin.Limits{CPUs: 1.5, CPUsFrom: "/sys/fs/cgroup/cpu.max", Memory: 512 << 20, MemoryFrom: "/sys/fs/cgroup/memory.max"},
			Memory: pointer[int64](325 << 20), Starts: 4, Crashes: 1, Reloads: 0,
			Throttled: pointer(0.0234), OOMKills: pointer[int64](1),
			Listen: []admin.Listen{
				{Address: "*:3000", Queue: pointer(0), Backlog: pointer(511)},
				{Address: "[::1]:9464", Queue: pointer(17), Backlog: pointer(511)},
			},
			Workers: []admin.Worker{
				worker(0, 38, "ready", 4.2, 2, "reload"), worker(0, 17, "draining", 11531, 1, "SIGKILL (oom_kill)"),
				worker(1, 18, "ready", 11530, 0, ""),
			},
		},
		"fork": {
			Nodeinit: admin.Process{Version: "0.1.0", PID: 1, Uptime: 59.9},
			Mode:     "fork", State: "stopping", Want: 1, Starts: 1,
			Argv:    []string{"npm", "run", "start", "--", "--title", "my app", "", "\x1b[2J\a", "日本語", "back\\slash", "\xff\xfe", "\u202eevil"},
			Workers: []admin.Worker{{Slot: 0, PID: 7, State: "stopping", Uptime: 59}},
		},
		"hostile": {
			Nodeinit: admin.Process{Version: "9\n9", PID: 4194304, Uptime: 1e300, Resident: pointer[int64](math.MaxInt64)},
			Mode:     "\x1b]0;title\a", State: "日本語日本語", Ready: math.MaxInt, Want: math.MinInt, Change: "\r\n",
			Argv: []string{strings.Repeat("日本", 300)}, Memory: pointer[int64](-1),
			Limits: admin.Limits{CPUs: 1e9, CPUsFrom: strings.Repeat("/x", 100), Memory: math.MaxInt64, MemoryFrom: "\x00"},
			Starts: math.MaxInt, Crashes: 1234567, Throttled: pointer(1e9), OOMKills: pointer[int64](math.MaxInt64),
			Listen: []admin.Listen{
				{Address: "/run/\x1b[31m.sock", Queue: pointer(4096), Backlog: pointer(4096)}, {Address: "@\x00abstract"}, {Address: "*:1"}, {Address: "*:1"},
			},
			Workers: []admin.Worker{
				{Slot: 9999, PID: 4194304, State: "finishing-what-there-is", Uptime: math.MaxFloat64, Restarts: math.MaxInt, CPU: pointer(1e12), CPUSeconds: pointer(1e12),
					Resident: pointer[int64](math.MaxInt64), HeapUsed: pointer[int64](math.MaxInt64), HeapLimit: pointer[int64](math.MaxInt64),
					Utilization: pointer(1.0), DelayP99: pointer(1e12), Connections: pointer[int64](math.MaxInt64), Requests: pointer[int64](math.MaxInt64),
					LastExit: "SIGKILL (\x1b[2Jboom)"},
				{Slot: 1, State: "waiting", LastExit: "日本語\n"},
			},
		},
		"hundred": hundred(),
	}
}

// worker is one with usual values that differ by slot.
func worker(slot, pid int, state string, uptime float64, restarts int, exit string) admin.Worker {
	return admin.Worker{
		Slot: slot, PID: pid, State: state, Uptime: uptime, Restarts: restarts, LastExit: exit,
		CPU: pointer(0.312 + float64(slot)/10), CPUSeconds: pointer(17.0), Resident: pointer(int64(98+slot) << 20),
		HeapUsed: pointer(int64(45+slot) << 20), HeapLimit: pointer[int64](201 << 20),
		Utilization: pointer(0.0712), DelayP99: pointer(0.0112), Connections: pointer[int64](3), Requests: pointer(int64(uptime * 111)),
	}
}

// hundred has workers of all ages and sizes.
func hundred() *admin.Document {
	d := &admin.Document{
		Nodeinit: admin.Process{Version: "0.1.0", PID: 1, Uptime: 40 * 86400}, Mode: "per-core", State: "running", Ready: 99, Want: 100,
		Argv: []string{"node", "server.js"}, Starts: 160, Crashes: 12, Reloads: 1,
		Limits: admin.Limits{CPUs: 100, CPUsFrom: "--cpus"}, Memory: pointer[int64](77 << 30), OOMKills: pointer[int64](0),
	}
	for i := range 100 {
		w := worker(i, 1000+i*i*300, "ready", math.Pow(1.18, float64(i)), i/10, []string{"", "reload", "exit 1", "SIGKILL (oom_kill)"}[i/10%4])
		w.CPU, w.Utilization, w.DelayP99 = pointer(float64(i)/90), pointer(float64(i)/99), pointer(math.Pow(1.2, float64(i))/1e6)
		w.Requests, w.Connections, w.Resident = pointer(int64(math.Pow(1.3, float64(i)))), pointer(int64(i*i)), pointer(int64(math.Pow(1.25, float64(i))))
		d.Workers = append(d.Workers, w)
	}
	d.Workers[42] = admin.Worker{Slot: 42, State: "waiting", Restarts: 9, LastExit: "exit 1 (not_ready)"}
	for i := range 100 { // --balance reuseport
		d.Listen = append(d.Listen, admin.Listen{Address: "*:3000", Queue: pointer(i % 3), Backlog: pointer(511)})
	}
	return d
}

func randomDocument(random *rand.Rand) *admin.Document {
	number := func() int64 { return random.Int64N(math.MaxInt64) >> random.IntN(63) }
	maybe := func() *int64 {
		if random.IntN(8) == 0 {
			return nil
		}
		return pointer(number())
	}
	float := func() *float64 { return pointer(math.Pow(10, 20*random.Float64()-8)) }
	states := []string{"starting", "ready", "closed", "finishing", "draining", "stopping", "hung", "killed", "waiting"}
	exits := []string{"", "reload", "exit 1", "SIGKILL (oom_kill)", "SIGKILL (grace_exceeded)", "max_memory"}
	d := &admin.Document{
		Nodeinit: admin.Process{Version: "0.1.0", PID: int(number() >> 41), Uptime: *float(), Resident: maybe()},
		Mode:     "per-core", State: "drainDelay", Ready: int(number()), Want: int(number()), Argv: []string{"node", "server.js"},
		Limits: admin.Limits{CPUs: float64(number()>>50) / 100, CPUsFrom: "/sys/fs/cgroup/cpu.max", Memory: number()}, Memory: maybe(),
		Starts: int(number()), Throttled: float(), OOMKills: maybe(),
	}
	for range random.IntN(6) {
		d.Workers = append(d.Workers, admin.Worker{
			Slot: random.IntN(1000), PID: random.IntN(4194304), State: states[random.IntN(len(states))], Uptime: *float(),
			Restarts: int(number()), CPU: float(), Resident: maybe(), HeapUsed: maybe(), HeapLimit: maybe(), Utilization: pointer(random.Float64()),
			DelayP99: float(), Connections: maybe(), Requests: maybe(), LastExit: exits[random.IntN(len(exits))],
		})
	}
	return d
}
