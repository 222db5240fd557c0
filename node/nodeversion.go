package node

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"slices"
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
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if file, err := exec.OpenRegular(path); err == nil {
		defer file.Close()
		numbers := strings.SplitN(findVersion(readOnlyData(file)), ".", 3)
		if len(numbers) == 3 {
			if major, minor, ok = parseVersion(numbers[0], numbers[1]); ok {
				return major, minor, true
			}
		}
	}
	header := strings.Fields(contents(filepath.Join(filepath.Dir(path), "../include/node/node_version.h")))
	return parseVersion(after(header, "NODE_MAJOR_VERSION"), after(header, "NODE_MINOR_VERSION"))
}

func parseVersion(first, second string) (major, minor int, ok bool) {
	major, err := strconv.Atoi(first)
	minor, minorErr := strconv.Atoi(second)
	return major, minor, err == nil && minorErr == nil
}

// after returns the word that follows the first one that is word, "" if there is none.
func after(words []string, word string) string {
	if at := slices.Index(words, word) + 1; at > 0 && at < len(words) {
		return words[at]
	}
	return ""
}

// findVersion returns the version that Node 18 to 26 have in their read-only data
// (src/tracing: "node.js/v18.17.1"), and what follows it; "" if it is not there. It
// looks last at the beginning, where it was in none of them: from 440 to 740 KiB.
func findVersion(data *io.SectionReader) string {
	const beginning, overlap = 384 << 10, 64
	if found := searchVersion(io.NewSectionReader(data, beginning, data.Size())); found != "" {
		return found
	}
	return searchVersion(io.NewSectionReader(data, 0, beginning+overlap))
}

// searchVersion is findVersion in r. Its buffer is small, because each page of memory
// that nodeinit is the first to use takes longer than to read another 16 KiB.
func searchVersion(r io.Reader) string {
	const mark, maxVersion = "node.js/v", 32
	buffer := make([]byte, 0, 16<<10)
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
