package node_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/node"
)

func TestIdentify(t *testing.T) {
	t.Parallel()
	top := makeWorld(t)
	env := []string{"PATH=" + filepath.Join(top, "bin"), "HOME=" + filepath.Join(top, "none")}
	for _, c := range commandLines {
		line, want := strings.ReplaceAll(c.line, "$W", top), strings.ReplaceAll(c.want, "$W", top)
		argv := fields(line)
		p := node.Identify(argv, env, filepath.Join(top, c.dir))
		got := p.Join.String()
		if p.Runtime != node.RuntimeOther {
			got += " " + string(p.Runtime)
		}
		want, why, reasoned := strings.Cut(want, ": ")
		want, resolved, changed := strings.Cut(want, " = ")
		if !changed {
			resolved = line
		}
		if got != want || !slices.Equal(p.Argv, fields(resolved)) {
			t.Errorf("in %s, %s: %s %q (%s), want %s %q", c.dir, c.line, got, p.Argv, p.Why, want, fields(resolved))
			continue
		}
		if (p.Join == node.JoinNone) != (p.Why != "") || reasoned && !strings.Contains(p.Why, why) {
			t.Errorf("%s: %s because of %q", c.line, p.Join, p.Why)
		}
		if kept := strings.Contains(p.Note, " is kept because "); changed && p.Note == "" || !changed && p.Note != "" && !kept {
			t.Errorf("%s: became %q, with the note %q", c.line, p.Argv, p.Note)
		}
		if p.Wrapped && p.Join == node.JoinDirect || !p.Wrapped && p.Join == node.JoinLate && p.Runtime == node.RuntimeNode {
			t.Errorf("%s: %s, wrapped: %v", c.line, p.Join, p.Wrapped)
		}
	}
}

// The note tells whether a package manager or a shell is started, and why.
func TestNote(t *testing.T) {
	t.Parallel()
	top := makeWorld(t)
	env := []string{"PATH=" + filepath.Join(top, "bin"), "HOME=" + filepath.Join(top, "none")}
	for _, c := range []struct{ dir, line, want string }{
		{"app", "node server.js", ""},
		{"app", "npm start", `npm start runs "node server.js", npm is not started`},
		{"app", "sh -c «npm run assign»", `sh -c runs "npm run assign", sh is not started; npm run assign runs "NODE_ENV=production node server.js", npm is not started`},
		{"app", "node --run start", `node --run start runs "node server.js", node --run is not started`},
		{"app", "docker-entrypoint.sh server.js", "docker-entrypoint.sh runs its arguments, docker-entrypoint.sh is not started"},
		{"app", "tini -- npm run hooked", "nodeinit does what tini would; npm is kept because of prehooked"},
		{"app", "npm run after", "npm is kept because of postafter"},
		{"app", "npm --workspace a run start", ""}, // a may be the script
		{"app", "npm --workspace=a run start", "npm is kept because of --workspace"},
		{"app", "npm run start --port 80", "npm is kept because of --port"},
		{"app", "yarn start -- x", "yarn is kept because of --"},
		{"app", "npm run and", `npm is kept because "node migrate.js && node server.js" needs a shell`},
		{"app", "sh -c «npm run and»", `npm is kept because "node migrate.js && node server.js" needs a shell`},
		{"app", "npm run tsx", `npm is kept because "tsx server.ts" is no plain node command`},
		{"app", "npm run daemon", ""}, // Why has the reason
		{"app", "npm exec tool", ""},
		{"app", "node --title x --run start", "node --run is kept because of --title"},
		{"app", "node --run start x", "node --run is kept because of x"},
		{"rc", "npm start", "npm is kept because of node-options in $W/rc/.npmrc"},
		{"berry", "yarn start", "yarn is kept because of $W/berry/.yarnrc.yml"},
		{"pinned", "pnpm start", "pnpm is kept because of pnpm.executionEnv"},
	} {
		p := node.Identify(fields(c.line), env, filepath.Join(top, c.dir))
		if want := strings.ReplaceAll(c.want, "$W", top); p.Note != want {
			t.Errorf("in %s, %s: the note is %q, want %q", c.dir, c.line, p.Note, want)
		}
	}
	p := node.Identify([]string{"npm", "start"}, append(env, "NPM_CONFIG_SCRIPT_SHELL=bash"), filepath.Join(top, "app"))
	if want := "npm is kept because of npm_config_script_shell"; p.Note != want {
		t.Errorf("the note is %q, want %q", p.Note, want)
	}
}

// Variables set before the command are the program's.
func TestAssignmentsAreInTheEnvironment(t *testing.T) {
	t.Parallel()
	top := makeWorld(t)
	bin := filepath.Join(top, "bin")
	env := []string{"PATH=" + bin, "A=0", "NODE_OPTIONS=--title=y"}
	for line, want := range map[string]map[string]string{
		"npm run assign": {"NODE_ENV": "production", "A": "0", "npm_lifecycle_event": "assign"},
		"npm run resets": {"NODE_OPTIONS": "--title=x"},
		`sh -c «A=1 B="b c" C= exec node server.js»`: {"A": "1", "B": "b c", "C": ""},
		"sh -c «PATH=" + bin + " node server.js»":    {"PATH": bin},
	} {
		p := node.Identify(fields(line), env, filepath.Join(top, "app"))
		if p.Join != node.JoinDirect {
			t.Errorf("%s: %s", line, p.Join)
		}
		for key, value := range want {
			if got := slices.DeleteFunc(slices.Clone(p.Env), func(kv string) bool { return !strings.HasPrefix(kv, key+"=") }); !slices.Equal(got, []string{key + "=" + value}) {
				t.Errorf("%s: %q, want %s=%s", line, got, key, value)
			}
		}
	}
}

// A script that is run without npm has the environment that it has under npm.
func TestResolvedScriptRunsAsUnderNPM(t *testing.T) {
	t.Parallel()
	top := makeWorld(t)
	bin, app, sub := filepath.Join(top, "bin"), filepath.Join(top, "app"), filepath.Join(top, "app/sub")
	env := []string{"PATH=" + bin, "A=1", "npm_package_name=other", "PWD=" + sub}
	p := node.Identify([]string{"npm", "start"}, env, sub)
	if p.Dir != app || p.Note != `npm start runs "node server.js", npm is not started` {
		t.Errorf("in %s, %s", p.Dir, p.Note)
	}
	path, ok := strings.CutPrefix(exec.Getenv(p.Env, "PATH"), app+"/node_modules/.bin:"+top+"/node_modules/.bin:")
	if !ok || !strings.HasSuffix(path, ":/node_modules/.bin:"+bin) {
		t.Errorf("PATH=%s", exec.Getenv(p.Env, "PATH"))
	}
	for key, want := range map[string]string{
		"A": "1", "PWD": app, "INIT_CWD": sub,
		"npm_lifecycle_event": "start", "npm_lifecycle_script": "node server.js",
		"npm_package_json": app + "/package.json", "npm_package_name": "app", "npm_package_version": "1.2.3",
		"npm_package_engines_node": ">=18", "npm_package_config_port": "80", "npm_package_config_deep_on": "true",
		"npm_package_config_deep_off": "", "npm_package_config_deep_list_0": "a",
	} {
		if got := exec.Getenv(p.Env, key); got != want {
			t.Errorf("%s=%s, want %s", key, got, want)
		}
	}
	for i, kv := range p.Env {
		key, _, _ := strings.Cut(kv, "=")
		if slices.ContainsFunc(p.Env[:i], func(other string) bool { return strings.HasPrefix(other, key+"=") }) {
			t.Errorf("%s is there twice", key)
		}
	}
	if file, err := p.Find(); err != nil || file != filepath.Join(bin, "node") {
		t.Errorf("found %s, %v", file, err)
	}
	p = node.Identify([]string{"node", "--run", "start"}, env, sub)
	if p.Dir != app || exec.Getenv(p.Env, "NODE_RUN_SCRIPT_NAME") != "start" || exec.Getenv(p.Env, "NODE_RUN_PACKAGE_JSON_PATH") != app+"/package.json" {
		t.Errorf("node --run: in %s with %q", p.Dir, p.Env)
	}
}

// A program is found from its own directory, not from that of this process.
func TestFindFromTheDirectory(t *testing.T) {
	t.Parallel()
	top := makeWorld(t)
	for _, c := range []struct{ name, path, want string }{
		{"./main", "", "app/main"},
		{"tool", "node_modules/.bin", "app/node_modules/.bin/tool"},
		{filepath.Join(top, "app/main"), "", "app/main"},
	} {
		p := node.Program{Argv: []string{c.name}, Env: []string{"PATH=" + c.path}, Dir: filepath.Join(top, "app")}
		if got, err := p.Find(); err != nil || got != filepath.Join(top, c.want) {
			t.Errorf("%s: found %s, %v", c.name, got, err)
		}
	}
	_, err := node.Program{Argv: []string{"./nothing"}, Dir: top}.Find()
	if err == nil || !strings.HasPrefix(err.Error(), `"./nothing": no such file`) || exec.ExitCode(err) != 127 {
		t.Errorf("nothing there: %v, status %d", err, exec.ExitCode(err))
	}
}

// Where --import is not allowed in NODE_OPTIONS, nothing can join late.
func TestLateNeedsNode18(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		header string
		want   node.Join
	}{
		{"", node.JoinLate},
		{"#define NODE_MAJOR_VERSION 18\n#define NODE_MINOR_VERSION 17\n", node.JoinNone},
		{"#define NODE_MAJOR_VERSION 18\n#define NODE_MINOR_VERSION 18\n", node.JoinLate},
		{"#define NODE_MAJOR_VERSION 26\n#define NODE_MINOR_VERSION 10\n", node.JoinLate},
		{"rubbish", node.JoinLate},
	} {
		top := makeWorld(t)
		if c.header != "" {
			include := filepath.Join(top, "include/node")
			if err := os.MkdirAll(include, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(include, "node_version.h"), []byte(c.header), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		env := []string{"PATH=" + filepath.Join(top, "bin"), "NODE_VERSION=16.20.2"}
		p := node.Identify([]string{"npm", "run", "and"}, env, filepath.Join(top, "app"))
		if p.Join != c.want || (p.Join == node.JoinNone) != strings.Contains(p.Why, "takes no --import in NODE_OPTIONS") {
			t.Errorf("%q: %v %s", c.header, p.Join, p.Why)
		}
	}
}

// The options that take a value are those that Node itself lists. Options of its test
// runner are used with --test only.
func TestNodeOptionsAreNodes(t *testing.T) {
	t.Parallel()
	const list = `const { internalBinding } = require('internal/test/binding');
		const options = internalBinding('options'), { types } = options;
		const info = (options.getCLIOptionsInfo ?? options.getCLIOptions)();
		const value = [types.kString, types.kHostPort, types.kStringList, types.kInteger, types.kUInteger];
		for (const [name, { type }] of info.options) if (value.includes(type)) console.log(name);`
	p := testproc.Command{Argv: []string{"env", "node", "--no-warnings", "--expose-internals", "-e", list}}.Start(t)
	p.WaitCode(0)
	seen := 0
	for _, name := range strings.Fields(p.Output()) {
		if !strings.HasPrefix(name, "--") || strings.HasPrefix(name, "--test-") || strings.HasPrefix(name, "--experimental-test-") || strings.HasPrefix(name, "--bench-") || name == "--run" {
			continue
		}
		seen++
		if p := node.Identify([]string{"node", name, "server.js"}, nil, t.TempDir()); p.Join != node.JoinNone {
			t.Errorf("node %s server.js runs %v %s", name, p.Join, p.Runtime)
		}
	}
	if seen < 40 {
		t.Errorf("only %d options take a value: %s", seen, p.Output())
	}
}
