package node

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/nodeinit/nodeinit/exec"
)

// Agent reports whether the program's Node can load nodeinit's agent (agent.js),
// and if not the reason, "" where there is no Node to load it.
func (p Program) Agent() (ok bool, why string) {
	if p.Runtime != RuntimeNode || p.Join == JoinNone {
		return false, ""
	}
	if p.Single {
		return false, "a single executable application takes no --import"
	}
	e, options := p.environment(), ""
	if script := parseNodeArgs(p.Argv).script; p.Join == JoinDirect && script > 0 {
		options = strings.Join(p.Argv[1:script], " ")
	}
	if why := e.refusesImport(options); why != "" {
		return false, why
	}
	if major, minor, known := p.nodeVersion(); known && !supportsImport(major, minor) {
		return false, fmt.Sprintf("Node %d.%d takes no --import in NODE_OPTIONS (Node 18.18 and later do)", major, minor)
	}
	return true, ""
}

// supportsImport reports whether that Node takes --import in NODE_OPTIONS. For an
// unknown option there Node exits with status 9.
func supportsImport(major, minor int) bool { return major > 18 || major == 18 && minor >= 18 }

// nodeVersion returns the version of the Node that runs p.
func (p Program) nodeVersion() (major, minor int, ok bool) {
	name := "node"
	if p.Join == JoinDirect {
		name = p.Argv[0]
	}
	return p.environment().nodeVersion(name)
}

// nodeVersion returns the version of the node called name, from its file or, where
// most of Node is in a shared library, from its headers. NODE_VERSION, which official
// images set, may be that of another node.
func (e environment) nodeVersion(name string) (major, minor int, ok bool) {
	path, err := e.find(name)
	if err != nil {
		return 0, 0, false
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if file, err := exec.OpenRegular(path); err == nil {
		defer file.Close()
		if _, err := fmt.Sscanf(findVersion(readOnlyData(file)), "%d.%d.", &major, &minor); err == nil {
			return major, minor, true
		}
	}
	header := contents(filepath.Join(filepath.Dir(path), "../include/node/node_version.h"))
	words := strings.Join(strings.Fields(header), " ")
	_, numbers, _ := strings.Cut(words, "#define NODE_MAJOR_VERSION ")
	_, err = fmt.Sscanf(numbers, "%d #define NODE_MINOR_VERSION %d", &major, &minor)
	return major, minor, err == nil
}

// findVersion returns the version that Node 18 to 26 have in their read-only data
// (src/tracing: "node.js/v18.17.1"), in the first megabyte as far as seen, and what
// follows it; "" if it is not in r.
func findVersion(r io.Reader) string {
	const mark, maxVersion = "node.js/v", 32
	buffer := make([]byte, 0, 1<<17)
	for {
		n, err := io.ReadFull(r, buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		_, after, found := bytes.Cut(buffer, []byte(mark))
		switch {
		case found && (len(after) >= maxVersion || err != nil):
			return string(after[:min(len(after), maxVersion)])
		case err != nil:
			return ""
		}
		buffer = buffer[:copy(buffer, buffer[len(buffer)-len(mark)-maxVersion:])]
	}
}
