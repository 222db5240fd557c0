package node

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/nodeinit/nodeinit/exec"
)

// An environment is what a command runs in.
type environment struct {
	vars []string // KEY=value
	dir  string   // "" for the working directory of this process
}

// join returns path as seen from the directory of e.
func (e environment) join(path string) string {
	if e.dir == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(e.dir, path)
}

// find returns the file that the command name executes.
func (e environment) find(name string) (string, error) {
	path := cmp.Or(exec.Getenv(e.vars, "PATH"), "/bin:/usr/bin") // execvp(3)
	if strings.Contains(name, "/") {
		file, err := exec.Find(e.join(name), path)
		if err != nil {
			return "", &exec.Error{Name: name, Err: errors.Unwrap(err)}
		}
		return file, nil
	}
	dirs := filepath.SplitList(path)
	for i, dir := range dirs {
		dirs[i] = e.join(dir)
	}
	return exec.Find(name, strings.Join(dirs, string(filepath.ListSeparator)))
}

// refusesImport returns why there can be no --import of nodeinit's besides the
// options in NODE_OPTIONS and in text, a command; "" if there can be one.
func (e environment) refusesImport(text string) string {
	for _, word := range strings.FieldsFunc(text+" "+exec.Getenv(e.vars, "NODE_OPTIONS"), endsWord) {
		option, _, _ := strings.Cut(word, "=")
		option = strings.ReplaceAll(option, "_", "-")
		if why := againstImport(option); why != "" {
			return fmt.Sprintf(why, option)
		}
	}
	return ""
}

// againstImport returns why --import=data: would keep the program from running beside
// that option of Node, or would stay in its environment because nothing is imported;
// "" for any other option.
func againstImport(option string) string {
	switch option {
	case "--loader", "--experimental-loader":
		return "a custom loader (%s) would be asked for it"
	case "--experimental-policy", "--policy-integrity":
		return "a policy (%s) would have to allow it"
	case "--snapshot-blob":
		return "what starts from a snapshot (%s) imports nothing"
	default:
		return ""
	}
}
