package node

import (
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/rawjson"
)

// A packageFile is the part of a package.json that decides what a script runs.
type packageFile struct {
	Name, Version    string
	Scripts, Engines map[string]string
	Config           rawjson.Value // an object; nil: none
	OtherNode        bool          // pnpm.executionEnv is set

	dir string // of the file
}

const maxPackage = 4 << 20 // bytes of a package.json

// findPackage reads the package.json in dir or the nearest directory above it. One
// that cannot be parsed counts as none.
func findPackage(dir string) (pkg packageFile, ok bool) {
	if !filepath.IsAbs(dir) { // scripts need its path in their environment
		return pkg, false
	}
	dirs := above(dir)
	at := slices.IndexFunc(dirs, func(d string) bool { return exists(d, "package.json") || exists(d, "node_modules") })
	if at < 0 {
		return pkg, false
	}
	pkg.dir = dirs[at]
	file, err := exec.OpenRegular(pkg.file())
	if err != nil {
		return pkg, false
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxPackage))
	return pkg, err == nil && pkg.parse(text)
}

// parse reports whether text is a package.json, as far as it is read here.
func (p *packageFile) parse(text []byte) bool {
	value, err := rawjson.Parse(text)
	d := rawjson.Decoder{From: value}
	d.Text("name", &p.Name)
	d.Text("version", &p.Version)
	p.Scripts, p.Engines = texts(&d, "scripts"), texts(&d, "engines")
	d.Object("config", func(d *rawjson.Decoder) { p.Config = d.From })
	d.Object("pnpm", func(d *rawjson.Decoder) { p.OtherNode = d.From.Get("executionEnv") != nil })
	return err == nil && value.IsObject() && d.Wrong == ""
}

// texts returns the strings in an object.
func texts(d *rawjson.Decoder, name string) map[string]string {
	list := make(map[string]string)
	d.Object(name, func(d *rawjson.Decoder) {
		d.From.Each(func(name string, _ rawjson.Value) {
			text := ""
			d.Text(name, &text)
			list[name] = text
		})
	})
	return list
}

func (p packageFile) file() string { return filepath.Join(p.dir, "package.json") }

// customRun returns what makes the package manager do more than run the script
// in a shell, "" for nothing: a hook before or after it, or a setting: Plug'n'Play,
// another shell, options for Node or another Node.
func (p packageFile) customRun(script string, env []string) string {
	for _, hook := range []string{"pre" + script, "post" + script} {
		if p.Scripts[hook] != "" {
			return hook
		}
	}
	if p.OtherNode {
		return "pnpm.executionEnv"
	}
	for _, key := range []string{"npm_config_node_options", "npm_config_script_shell", "npm_config_shell_emulator", "npm_config_use_node_version"} {
		if exec.Getenv(env, key) != "" || exec.Getenv(env, strings.ToUpper(key)) != "" {
			return key
		}
	}
	for _, dir := range append(above(p.dir), exec.Getenv(env, "HOME")) {
		for _, name := range []string{".yarnrc.yml", ".pnp.cjs", ".pnp.js"} {
			if exists(dir, name) {
				return filepath.Join(dir, name)
			}
		}
		for _, name := range []string{".npmrc", "pnpm-workspace.yaml"} {
			text := contents(filepath.Join(dir, name))
			for _, key := range []string{"node-options", "script-shell", "shell-emulator", "use-node-version", "scriptShell", "shellEmulator", "useNodeVersion", "executionEnv"} {
				if strings.Contains(text, key) {
					return key + " in " + filepath.Join(dir, name)
				}
			}
		}
	}
	return ""
}

// above returns dir and the directories above it.
func above(dir string) []string {
	dirs := []string{dir}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		dirs = append(dirs, filepath.Dir(dir))
	}
	return dirs
}

// path returns the PATH of scripts: installed commands come first.
func (p packageFile) path(env []string) string {
	var path []string
	for _, dir := range above(p.dir) {
		path = append(path, filepath.Join(dir, "node_modules/.bin"))
	}
	if rest := exec.Getenv(env, "PATH"); rest != "" {
		path = append(path, rest)
	}
	return strings.Join(path, string(filepath.ListSeparator))
}

// env returns env as a script, with that text, sees it when it is run from the
// directory from. It has the variables about the package and the script, which all
// package managers set, but not those about npm itself: npm_execpath, npm_command,
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
	flatten(vars, "npm_package_config", p.Config)
	return exec.Setenv(env, vars)
}

// flatten adds value and its elements to vars as npm does (@npmcli/run-script,
// package-envs).
func flatten(vars map[string]string, key string, value rawjson.Value) {
	switch text := string(value); {
	case value.IsObject():
		value.Each(func(name string, element rawjson.Value) { flatten(vars, key+"_"+name, element) })
	case value.IsArray():
		for i, element := range value.Items() {
			flatten(vars, key+"_"+strconv.Itoa(i), element)
		}
	case value.IsString():
		vars[key] = value.Text()
	case value.IsNull() || text == "false":
		vars[key] = ""
	case value != nil:
		vars[key] = text
	}
}
