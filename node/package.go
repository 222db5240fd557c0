package node

import (
	"encoding/json"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nodeinit/nodeinit/exec"
)

// A packageFile is what matters here of a package.json.
type packageFile struct {
	Name    string            `json:"name"`
	Version string            `json:"version"`
	Scripts map[string]string `json:"scripts"`
	Config  map[string]any    `json:"config"`
	Engines map[string]string `json:"engines"`

	PNPM struct {
		ExecutionEnv json.RawMessage `json:"executionEnv"` // a Node of its own
	} `json:"pnpm"`

	dir string
}

const maxPackage = 4 << 20 // bytes of a package.json

// findPackage reads the package.json that is nearest to dir, upwards. One that
// cannot be understood is none.
func findPackage(dir string) (packageFile, bool) {
	if !filepath.IsAbs(dir) { // scripts need its path in their environment
		return packageFile{}, false
	}
	for !exists(dir, "package.json") {
		parent := filepath.Dir(dir)
		if parent == dir || exists(dir, "node_modules") {
			return packageFile{}, false
		}
		dir = parent
	}
	pkg := packageFile{dir: dir}
	file, err := exec.OpenRegular(pkg.file())
	if err != nil {
		return pkg, false
	}
	defer file.Close()
	decoder := json.NewDecoder(io.LimitReader(file, maxPackage))
	decoder.UseNumber()
	return pkg, decoder.Decode(&pkg) == nil
}

func (p packageFile) file() string { return filepath.Join(p.dir, "package.json") }

// hasHooks reports whether others are run before or after the script.
func (p packageFile) hasHooks(script string) bool {
	return p.Scripts["pre"+script] != "" || p.Scripts["post"+script] != ""
}

// customRunner reports whether the package manager is told to run scripts in
// another way: with Plug'n'Play, in another shell, with options for Node or with
// a Node of its own.
func (p packageFile) customRunner(env []string) bool {
	if len(p.PNPM.ExecutionEnv) > 0 {
		return true
	}
	for _, key := range []string{"node_options", "script_shell", "shell_emulator", "use_node_version"} {
		if exec.Getenv(env, "npm_config_"+key) != "" || exec.Getenv(env, "NPM_CONFIG_"+strings.ToUpper(key)) != "" {
			return true
		}
	}
	dirs := append(p.above(), exec.Getenv(env, "HOME"))
	for _, dir := range dirs {
		for _, name := range []string{".yarnrc.yml", ".pnp.cjs", ".pnp.js"} {
			if exists(dir, name) {
				return true
			}
		}
		text := contents(filepath.Join(dir, ".npmrc")) + contents(filepath.Join(dir, "pnpm-workspace.yaml"))
		for _, key := range []string{"node-options", "script-shell", "shell-emulator", "use-node-version", "scriptShell", "shellEmulator", "useNodeVersion", "executionEnv"} {
			if strings.Contains(text, key) {
				return true
			}
		}
	}
	return false
}

// above returns the directory of the package and those above it.
func (p packageFile) above() []string {
	dirs := []string{p.dir}
	for dir := p.dir; dir != filepath.Dir(dir); {
		dir = filepath.Dir(dir)
		dirs = append(dirs, dir)
	}
	return dirs
}

// path returns the PATH of scripts: the installed commands come first.
func (p packageFile) path(env []string) string {
	var path []string
	for _, dir := range p.above() {
		path = append(path, filepath.Join(dir, "node_modules/.bin"))
	}
	if rest := exec.Getenv(env, "PATH"); rest != "" {
		path = append(path, rest)
	}
	return strings.Join(path, string(filepath.ListSeparator))
}

// env returns env as scripts see it, run from the directory from. Of what npm
// adds, it has what tells of the package and the script, which all package
// managers give; and not what tells of npm itself: npm_execpath, npm_command,
// npm_config_*, NODE, EDITOR, COLOR.
func (p packageFile) env(env []string, from, script, text string) []string {
	vars := map[string]string{
		"PATH":                 p.path(env),
		"PWD":                  p.dir,
		"INIT_CWD":             from,
		"npm_lifecycle_event":  script,
		"npm_lifecycle_script": text,
		"npm_package_json":     p.file(),
		"npm_package_name":     p.Name,
		"npm_package_version":  p.Version,
	}
	for name, version := range p.Engines {
		vars["npm_package_engines_"+name] = version
	}
	for key, value := range p.Config {
		flatten(vars, "npm_package_config_"+key, value)
	}
	return exec.Setenv(env, vars)
}

// flatten adds value, and what is in it, to vars as npm does (package-envs in
// @npmcli/run-script).
func flatten(vars map[string]string, key string, value any) {
	switch v := value.(type) {
	case nil:
		vars[key] = ""
	case bool:
		vars[key] = ""
		if v {
			vars[key] = "true"
		}
	case string:
		vars[key] = v
	case json.Number:
		vars[key] = v.String()
	case []any:
		for i, element := range v {
			flatten(vars, key+"_"+strconv.Itoa(i), element)
		}
	case map[string]any:
		for name, element := range v {
			flatten(vars, key+"_"+name, element)
		}
	}
}
