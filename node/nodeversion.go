package node

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
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
	if file, err := exec.OpenRegular(path); err == nil {
		defer file.Close()
		if major, minor, ok := parseVersion(findVersion(readOnlyData(file))); ok {
			return major, minor, true
		}
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	header := contents(filepath.Join(filepath.Dir(path), "../include/node/node_version.h"))
	words := strings.Join(strings.Fields(header), " ")
	_, numbers, _ := strings.Cut(words, "#define NODE_MAJOR_VERSION ")
	return parseVersion(strings.Replace(numbers, " #define NODE_MINOR_VERSION ", ".", 1))
}

// parseVersion parses the beginning of text, such as 24.21.0; what follows the second
// number does not matter.
func parseVersion(text string) (major, minor int, ok bool) {
	first, rest, _ := strings.Cut(text, ".")
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	major, err1 := strconv.Atoi(first)
	minor, err2 := strconv.Atoi(rest[:end])
	return major, minor, err1 == nil && err2 == nil
}

// versionAt is where to begin to look for the version: Node 18 to 26 have it 440 to
// 740 KiB after the beginning of their read-only data, as far as seen.
const versionAt = 420 << 10

// findVersion returns the version that Node 18 to 26 have in their read-only data
// (src/tracing: "node.js/v18.17.1"), and what follows it; "" if it is not in r.
func findVersion(r io.ReadSeeker) string {
	for _, start := range []int64{versionAt, 0} {
		if _, err := r.Seek(start, io.SeekStart); err == nil {
			if version := nextVersion(r); version != "" {
				return version
			}
		}
	}
	return ""
}

// nextVersion is findVersion from where r is. A larger buffer would be slower: each new
// page of it costs a page fault.
func nextVersion(r io.Reader) string {
	const mark, maxVersion = "node.js/v", 32
	buffer := make([]byte, 0, 1<<14)
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
