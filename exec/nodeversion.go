package exec

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Agent reports whether the program's Node runs nodeinit's agent (agent.js), and
// if not why, for one log line; "" where there is no Node to run it.
func (p Program) Agent() (ok bool, why string) {
	if p.Runtime != Node || p.Join == None {
		return false, ""
	}
	if p.Single {
		return false, "a single executable application takes no --import"
	}
	s, name := setting{argv: p.Argv, env: p.Env, dir: p.Dir}, "node"
	if p.Join == Direct {
		name = p.Argv[0]
	}
	if major, minor, known := s.nodeVersion(name); known && !takesImport(major, minor) {
		return false, fmt.Sprintf("Node %d.%d takes no --import in NODE_OPTIONS (Node 18.18 and later do)", major, minor)
	}
	return true, ""
}

// takesImport reports whether that Node takes --import in NODE_OPTIONS. With an
// option there that it does not know, it ends at once, with 9.
func takesImport(major, minor int) bool { return major > 18 || major == 18 && minor >= 18 }

// nodeVersion returns the version of the node that is called name: from its
// headers, which lie beside it in the official archives and images, or as those
// images say it in their environment, or as it is written in the file itself.
func (s setting) nodeVersion(name string) (major, minor int, ok bool) {
	s.argv = []string{name}
	file, err := s.find()
	if err != nil {
		return 0, 0, false
	}
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	if major, minor, ok = versionInHeader(filepath.Join(filepath.Dir(file), "../include/node/node_version.h")); ok {
		return major, minor, true
	}
	if major, minor, ok = parseVersion(strings.TrimPrefix(Lookup(s.env, "NODE_VERSION"), "v")); ok {
		return major, minor, true
	}
	return versionInBinary(file)
}

func versionInHeader(path string) (major, minor int, ok bool) {
	header, err := os.Open(path)
	if err != nil {
		return 0, 0, false
	}
	defer header.Close()
	lines := bufio.NewScanner(header)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) != 3 || words[0] != "#define" {
			continue
		}
		switch words[1] {
		case "NODE_MAJOR_VERSION":
			major, _ = strconv.Atoi(words[2])
		case "NODE_MINOR_VERSION":
			minor, err = strconv.Atoi(words[2])
			return major, minor, err == nil && major > 0
		}
	}
	return 0, 0, false
}

// parseVersion reads the beginning of 18.17.1.
func parseVersion(text string) (major, minor int, ok bool) {
	first, rest, _ := strings.Cut(text, ".")
	second, _, _ := strings.Cut(rest, ".")
	major, err1 := strconv.Atoi(first)
	minor, err2 := strconv.Atoi(second)
	return major, minor, err1 == nil && err2 == nil
}

// versionInBinary looks for what Node 18 to 26 have in their read-only data
// (src/tracing: "node.js/v18.17.1"). It is only done where nothing else tells.
func versionInBinary(path string) (major, minor int, ok bool) {
	file, err := os.Open(path)
	if err != nil {
		return 0, 0, false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return 0, 0, false
	}
	third := info.Size() / 3 // about where that data begins: some MB to look through, not 50
	for _, part := range []*io.SectionReader{
		io.NewSectionReader(file, third, info.Size()-third),
		io.NewSectionReader(file, 0, third+int64(len(versionMark)+longestVersion)),
	} {
		if version, found := findVersion(part); found {
			return parseVersion(version)
		}
	}
	return 0, 0, false
}

const (
	versionMark    = "node.js/v"
	longestVersion = 32
)

// findVersion returns what follows the mark in r.
func findVersion(r io.Reader) (version string, ok bool) {
	buffer := make([]byte, 0, 1<<18)
	for {
		n, err := io.ReadFull(r, buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		_, after, found := bytes.Cut(buffer, []byte(versionMark))
		if found && (len(after) >= longestVersion || err != nil) {
			text, _, _ := bytes.Cut(after, []byte{0})
			return string(text), true
		}
		if err != nil {
			return "", false
		}
		buffer = buffer[:copy(buffer, buffer[len(buffer)-len(versionMark)-longestVersion:])]
	}
}
