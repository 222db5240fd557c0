package config

import (
	"encoding"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// parsed returns the configuration that environ and args make.
func parsed(t *testing.T, environ, args []string) Config {
	t.Helper()
	c, err := FromEnviron(environ)
	if err != nil {
		t.Fatalf("%q: %v", environ, err)
	}
	if _, _, err := c.Parse(args, nil); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return c
}

// value returns the value of an option in c as text.
func value(t *testing.T, c Config, flag string) string {
	t.Helper()
	for _, o := range options(&c) {
		if o.flag == flag {
			return fmt.Sprint(o.value.Interface())
		}
	}
	t.Fatalf("no option %q", flag)
	return ""
}

func TestOptionsAreComplete(t *testing.T) {
	t.Parallel()
	shorts, names := make(map[string]bool), make(map[string]bool)
	original := Default()
	for _, o := range options(&original) {
		if !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(o.flag) || names[o.flag] {
			t.Errorf("%q is no name for a flag", o.flag)
		}
		names[o.flag] = true
		if want := "NODEINIT_" + strings.ToUpper(strings.ReplaceAll(o.flag, "-", "_")); o.env != want {
			t.Errorf("--%s is %s, want %s", o.flag, o.env, want)
		}
		if o.short != "" && (len(o.short) != 1 || shorts[o.short]) {
			t.Errorf("-%s cannot stand for --%s", o.short, o.flag)
		}
		shorts[o.short] = true
		element := o.value.Addr().Interface()
		_, reads := element.(encoding.TextUnmarshaler)
		switch element.(type) {
		case *Toggle, *Count:
			reads = o.arg == ""
		default:
			reads = (reads || o.value.Kind().String() == "slice") && o.arg != ""
		}
		if !reads || o.help == "" || topic(o.flag) == "" {
			t.Errorf("--%s: arg %q, help %q, topic %q", o.flag, o.arg, o.help, topic(o.flag))
		}
		help := Help(o.flag)
		if !strings.Contains(help, o.env) || !strings.Contains(help, o.help) {
			t.Errorf("help %s: %q", o.flag, help)
		}
		for _, line := range strings.Split(help, "\n") {
			if len(line) > 90 || strings.TrimRight(line, " ") != line {
				t.Errorf("help %s: %d columns: %q", o.flag, len(line), line)
			}
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := parsed(t, []string{"PATH=/bin", "NODE_OPTIONS=x"}, nil)
	for flag, want := range map[string]string{
		"mode": "auto", "workers": "auto", "balance": "", "pre": "[]", "max-crashes": "0", "crash-window": "1m0s", "cpus": "", "memory": "", "heap": "auto", "grace": "9s", "stop-signal": "", "group": "false",
		"drain-delay": "0s", "ready": "", "ready-timeout": "30s", "stop-order": "auto", "stop-message": "", "instance-var": "NODE_APP_INSTANCE", "reload-signal": "", "max-memory": "off", "max-age": "0s",
		"hang-timeout": "0s", "resize": "true", "no-agent": "false",
		"rewrite": "[]", "remap-exit": "[]", "subreaper": "true", "pdeathsig": "", "warn-on-reap": "false",
		"log-format": "auto", "log-level": "info", "log-to": "stdout", "verbose": "0",
		"logs": "auto", "log-fields": "default", "redact": "[]", "no-multiline": "false", "strip-colors": "false",
		"control": "auto", "metrics": "off", "metrics-app": "off", "health-path": "off", "health-interval": "5s", "health-failures": "3",
	} {
		if got := value(t, c, flag); got != want {
			t.Errorf("--%s is %q by default, want %q", flag, got, want)
		}
	}
}

// For each option: a value for its variable and one for its flag, which are
// not the default, and what they are then.
var given = map[string]struct{ env, fromEnv, flag, fromFlag string }{
	"mode":            {"fork", "fork", "per-core", "per-core"},
	"workers":         {"3", "3", "max", "max"},
	"balance":         {"shared", "shared", "ip-hash", "ip-hash"},
	"pre":             {"node a,b\n\n node 'c\nd'\n", "[node a,b node 'c\nd']", "node c", "[node c]"},
	"max-crashes":     {"3", "3", "0", "0"},
	"crash-window":    {"5m", "5m0s", "30", "30s"},
	"cpus":            {"1.5", "1.5", "2", "2"},
	"memory":          {"512M", "536870912", "1Gi", "1073741824"},
	"heap":            {"off", "off", "256m", "268435456"},
	"grace":           {"5", "5s", "1m30s", "1m30s"},
	"drain-delay":     {"5", "5s", "1m", "1m0s"},
	"ready":           {"message", "message", "none", "none"},
	"ready-timeout":   {"5", "5s", "0", "0s"},
	"stop-order":      {"drain", "drain", "signal", "signal"},
	"stop-message":    {"shutdown, now", "shutdown, now", "\"\n", "\"\n"},
	"instance-var":    {"INSTANCE_ID", "INSTANCE_ID", "LDAP_PATH_9", "LDAP_PATH_9"},
	"reload-signal":   {"hup", "SIGHUP", "RTMIN+1", "SIGRTMIN+1"},
	"max-memory":      {"80%", "80%", "512M", "536870912"},
	"max-age":         {"24h", "24h0m0s", "90", "1m30s"},
	"hang-timeout":    {"3s", "3s", "10", "10s"},
	"resize":          {"off", "false", "on", "true"},
	"no-agent":        {"1", "true", "no", "false"},
	"stop-signal":     {"int", "SIGINT", "SIGUSR1", "SIGUSR1"},
	"group":           {"true", "true", "false", "false"},
	"rewrite":         {"TERM:INT, HUP:0", "[SIGTERM:SIGINT SIGHUP:0]", "USR1:USR2", "[SIGUSR1:SIGUSR2]"},
	"remap-exit":      {"143,130:1", "[143:0 130:1]", "7", "[7:0]"},
	"subreaper":       {"no", "false", "yes", "true"},
	"pdeathsig":       {"15", "SIGTERM", "KILL", "SIGKILL"},
	"warn-on-reap":    {"1", "true", "0", "false"},
	"log-format":      {"json", "json", "text", "text"},
	"log-level":       {"debug", "debug", "off", "off"},
	"log-to":          {"stderr", "stderr", "stdout", "stdout"},
	"verbose":         {"2", "2", "1", "1"},
	"logs":            {"json", "json", "raw", "raw"},
	"log-fields":      {"gcp", "gcp", "ecs", "ecs"},
	"redact":          {"a,b\n\n it's\\d\n", `[a,b it's\d]`, "c d", "[c d]"},
	"no-multiline":    {"on", "true", "off", "false"},
	"strip-colors":    {"1", "true", "no", "false"},
	"metrics":         {"9464", ":9464", "localhost:80", "127.0.0.1:80"},
	"metrics-app":     {"/metrics", "/metrics", "9100/m?a=b", "9100/m?a=b"},
	"health-path":     {"9100/healthz", "9100/healthz", "/", "/"},
	"health-interval": {"1m", "1m0s", "0.1", "100ms"},
	"health-failures": {"1", "1", "10", "10"},
	"control":         {"/run/a b.sock", "/run/a b.sock", "off", "off"},
}

func TestFlagBeatsEnvironmentBeatsDefault(t *testing.T) {
	t.Parallel()
	original := Default()
	for _, o := range options(&original) {
		g, ok := given[o.flag]
		if !ok {
			t.Errorf("--%s is not tested", o.flag)
			continue
		}
		environ := []string{"A=1", o.env + "=" + g.env, o.env + "X=nonsense"}
		args := []string{"--" + o.flag + "=" + g.flag, "node", "--" + o.flag + "=nonsense"}
		if got := value(t, parsed(t, environ, nil), o.flag); got != g.fromEnv {
			t.Errorf("%s=%s is %q, want %q", o.env, g.env, got, g.fromEnv)
		}
		for _, environ := range [][]string{nil, environ} {
			if got := value(t, parsed(t, environ, args), o.flag); got != g.fromFlag {
				t.Errorf("%q, %q is %q, want %q", environ, args, got, g.fromFlag)
			}
		}
		empty := parsed(t, []string{o.env + "="}, nil)
		if got, want := value(t, empty, o.flag), fmt.Sprint(o.value.Interface()); got != want {
			t.Errorf("an empty %s is %q, want the default %q", o.env, got, want)
		}
	}
}

func TestRepeatedFlags(t *testing.T) {
	t.Parallel()
	environ := []string{"NODEINIT_REWRITE=TERM:INT", "NODEINIT_REMAP_EXIT=143", "NODEINIT_VERBOSE=2", "NODEINIT_RESIZE=off"}
	for _, c := range []struct{ flag, args, want string }{
		{"rewrite", "", "[SIGTERM:SIGINT]"},
		{"rewrite", "-r HUP:0", "[SIGHUP:0]"},
		{"rewrite", "-r HUP:0 --rewrite USR1:2", "[SIGHUP:0 SIGUSR1:SIGINT]"},
		{"rewrite", "-rHUP:0 -gr QUIT:TERM", "[SIGHUP:0 SIGQUIT:SIGTERM]"},
		{"remap-exit", "-e 1 -e 2:3 -e1:4", "[1:0 2:3 1:4]"},
		{"redact", "--redact a --redact b,c", "[a b,c]"},
		{"verbose", "", "2"},
		{"verbose", "-v", "1"},
		{"verbose", "-vv", "2"},
		{"verbose", "-v -v --verbose", "3"},
		{"verbose", "-vgv", "2"},
		{"verbose", "--verbose=0", "0"},
		{"verbose", "-v --verbose=5 -v", "6"},
		{"group", "-g", "true"},
		{"group", "-g -g=false", "false"},
		{"grace", "--grace 1 --grace 2", "2s"},
		{"resize", "", "false"},
		{"resize", "--resize", "true"},
		{"resize", "--no-resize", "false"},
		{"resize", "--no-resize=false", "true"},
		{"resize", "--no-resize --resize", "true"},
		{"resize", "--resize --no-resize", "false"},
		{"grace", "--grace 1 node --grace 2", "1s"},
	} {
		if got := value(t, parsed(t, environ, strings.Fields(c.args)), c.flag); got != c.want {
			t.Errorf("%s: %s is %q, want %q", c.args, c.flag, got, c.want)
		}
	}
}

func TestRemapped(t *testing.T) {
	t.Parallel()
	c := parsed(t, nil, []string{"-e", "143", "-e", "1:7", "-e", "1:8", "-e", "7:9", "-e", "0:1"})
	for code, want := range map[int]int{143: 0, 1: 7, 7: 9, 0: 1, 2: 2, 255: 255} {
		if got := c.Remapped(code); got != want {
			t.Errorf("%d becomes %d, want %d", code, got, want)
		}
	}
}

func TestUnknownEnvironment(t *testing.T) {
	t.Parallel()
	got := Unknown([]string{
		"NODEINIT_GRASE=1", "NODEINIT_LOG_LEVL", "NODEINIT_grace=1", "NODEINIT_WORKERZ=1", "NODEINIT_=",
		"NODEINIT_GRACE=1", "NODEINIT_WORKER=0", "NODEINIT_WORKER_COUNT=1", "NODEINIT_WORKERS=2", "NODEINITGRACE=1", "X_NODEINIT_GRASE=1", "PATH=/bin",
	})
	if near := got["NODEINIT_WORKERZ"]; slices.Contains([]string{workerEnv, workerCountEnv, channelEnv}, near) {
		t.Errorf("%s is suggested, which is no setting", near)
	}
	delete(got, "NODEINIT_WORKERZ")
	want := map[string]string{
		"NODEINIT_GRASE": "NODEINIT_GRACE", "NODEINIT_LOG_LEVL": "NODEINIT_LOG_LEVEL", "NODEINIT_grace": "NODEINIT_GRACE",
		"NODEINIT_": "", // nothing is near
	}
	if !maps.Equal(got, want) {
		t.Errorf("unknown are %v, want %v", got, want)
	}
}

// Without its companion, the name that workers find is a setting misspelled.
func TestWorkerIsMeantAsWorkers(t *testing.T) {
	t.Parallel()
	if got := Unknown([]string{"NODEINIT_WORKER=2"}); got["NODEINIT_WORKER"] != "NODEINIT_WORKERS" {
		t.Errorf("got %v", got)
	}
}

// Each flag has a text in help.txt, in which nothing else is.
func TestTopics(t *testing.T) {
	t.Parallel()
	var headings []string
	for line := range strings.Lines("\n" + topics) {
		if name, ok := strings.CutPrefix(line, "## "); ok {
			headings = append(headings, strings.TrimSpace(name))
		}
	}
	names := Names()
	slices.Sort(names)
	slices.Sort(headings)
	if !slices.Equal(headings, names) {
		t.Errorf("help.txt has topics %q, and the flags are %q", headings, names)
	}
}

// Before the program runs there is nothing to reload.
func TestPreRules(t *testing.T) {
	t.Parallel()
	c := parsed(t, nil, []string{"--reload-signal", "HUP", "-r", "USR1:USR2"})
	rules := c.PreRules()
	for sig, want := range map[unix.Signal]unix.Signal{unix.SIGHUP: 0, unix.SIGUSR1: unix.SIGUSR2, unix.SIGTERM: unix.SIGTERM} {
		if got, _ := rules.Apply(sig); got != want {
			t.Errorf("%v becomes %v, want %v", sig, got, want)
		}
	}
	c = parsed(t, nil, nil)
	if got, _ := c.PreRules().Apply(unix.SIGHUP); got != unix.SIGHUP {
		t.Errorf("without a reload signal SIGHUP becomes %v", got)
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"grace", "grace", 0}, {"grase", "grace", 1},
		{"grac", "grace", 1}, {"ggrace", "grace", 1}, {"kitten", "sitting", 3}, {"abc", "xyz", 3},
	} {
		if got := distance(c.a, c.b); got != c.want || distance(c.b, c.a) != got {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// Milliseconds, as PM2's kill_timeout has them, are not taken in silence.
func TestLongGrace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"9": "", "600": "", "1h": "", "601s": "", "601": "--grace 601 is 10m1s: a number without a unit is in seconds (601 ms is --grace 601ms)",
		"8000": "--grace 8000 is 2h13m20s: a number without a unit is in seconds (8000 ms is --grace 8s)",
	} {
		c := parsed(t, nil, []string{"--grace", text})
		if got := c.LongGrace(); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// Whoever comes from PM2, or has read a variable, asks with the name that they know.
func TestHelpByOtherNames(t *testing.T) {
	t.Parallel()
	for name, flag := range map[string]string{"kill-timeout": "grace", "i": "workers", "NODEINIT_PRE": "pre", "merge-logs": "logs"} {
		if got := Help(name); got == "" || got != Help(flag) {
			t.Errorf("help %s is %q", name, got)
		}
	}
}
