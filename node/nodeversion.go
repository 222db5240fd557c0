package node

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nodeinit/nodeinit/exec"
)

// Agent reports whether the program's Node runs nodeinit's agent (agent.js), and
// if not why, for one log line; "" where there is no Node to run it.
func (p Program) Agent() (ok bool, why string) {
	if p.Runtime != RuntimeNode || p.Join == JoinNone {
		return false, ""
	}
	if p.Single {
		return false, "a single executable application takes no --import"
	}
	s, name, options := commandLine{argv: p.Argv, env: p.Env, dir: p.Dir}, "node", ""
	if p.Join == JoinDirect {
		name = p.Argv[0]
		if script := readNodeLine(p.Argv).script; isNode(filepath.Base(name)) && script > 0 {
			options = strings.Join(p.Argv[1:script], " ")
		}
	}
	if why := s.refusesImport(options); why != "" {
		return false, why
	}
	if major, minor, known := s.nodeVersion(name); known && !supportsImport(major, minor) {
		return false, fmt.Sprintf("Node %d.%d takes no --import in NODE_OPTIONS (Node 18.18 and later do)", major, minor)
	}
	return true, ""
}

// Options of node's with which --import=data: would keep the program from
// running, or would stay in its environment because nothing is imported.
var againstImport = map[string]string{
	"--loader":              "a custom loader (%s) would be asked for it",
	"--experimental-loader": "a custom loader (%s) would be asked for it",
	"--experimental-policy": "a policy (%s) would have to allow it",
	"--policy-integrity":    "a policy (%s) would have to allow it",
	"--snapshot-blob":       "what starts from a snapshot (%s) imports nothing",
}

// refusesImport returns why there can be no --import of nodeinit's with what is
// in the text of a command, or in NODE_OPTIONS; "" if there can be.
func (s commandLine) refusesImport(text string) string {
	for _, word := range strings.FieldsFunc(text+" "+exec.Getenv(s.env, "NODE_OPTIONS"), endsWord) {
		option, _, _ := strings.Cut(word, "=")
		option = strings.ReplaceAll(option, "_", "-")
		if why, ok := againstImport[option]; ok {
			return fmt.Sprintf(why, option)
		}
	}
	return ""
}

// supportsImport reports whether that Node takes --import in NODE_OPTIONS. With an
// option there that it does not know, it ends at once, with 9.
func supportsImport(major, minor int) bool { return major > 18 || major == 18 && minor >= 18 }

// nodeVersion returns the version of the node that is called name, as it is
// written in the file, or where Node is a library besides, in its headers.
// NODE_VERSION, which official images set, may be that of another node.
func (s commandLine) nodeVersion(name string) (major, minor int, ok bool) {
	s.argv = []string{name}
	file, err := s.find()
	if err != nil {
		return 0, 0, false
	}
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	if major, minor, ok = versionInBinary(file); ok {
		return major, minor, true
	}
	return versionInHeader(filepath.Join(filepath.Dir(file), "../include/node/node_version.h"))
}

func versionInHeader(path string) (major, minor int, ok bool) {
	lines := bufio.NewScanner(bytes.NewReader(exec.ReadHead(path, 64<<10)))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) != 3 || words[0] != "#define" {
			continue
		}
		switch words[1] {
		case "NODE_MAJOR_VERSION":
			major, _ = strconv.Atoi(words[2])
		case "NODE_MINOR_VERSION":
			minor, err := strconv.Atoi(words[2])
			return major, minor, err == nil && major > 0
		}
	}
	return 0, 0, false
}

// parseVersion reads the beginning of 18.17.1, whatever comes after it.
func parseVersion(text string) (major, minor int, ok bool) {
	first, rest, _ := strings.Cut(text, ".")
	second, _, found := strings.Cut(rest, ".")
	if !found {
		return 0, 0, false
	}
	major, err1 := strconv.Atoi(first)
	minor, err2 := strconv.Atoi(second)
	return major, minor, err1 == nil && err2 == nil
}

// versionInBinary looks for what Node 18 to 26 have in their read-only data
// (src/tracing: "node.js/v18.17.1"), less than 1 MB from its beginning, as seen.
func versionInBinary(path string) (major, minor int, ok bool) {
	file, err := exec.OpenRegular(path)
	if err != nil {
		return 0, 0, false
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return 0, 0, false
	}
	version, found := findVersion(readOnlyData(file))
	if !found {
		return 0, 0, false
	}
	return parseVersion(version)
}

// mostData is how much of a file's read-only data is looked through.
const mostData = 4 << 20

// readOnlyData returns the beginning of the section .rodata of a 64-bit ELF file,
// elf(5), nothing of what is none. It is here because debug/elf is 0.3 MB of
// binary.
func readOnlyData(file io.ReaderAt) io.Reader {
	const headerSize, sectionSize, mostSections, mostNames = 64, 64, 512, 1 << 16
	order := binary.NativeEndian // what is to run here
	header := make([]byte, headerSize)
	if _, err := file.ReadAt(header, 0); err != nil || string(header[:5]) != "\x7fELF\x02" {
		return strings.NewReader("")
	}
	count := int(order.Uint16(header[60:]))
	names := int(order.Uint16(header[62:])) // the section with the names of all
	if order.Uint16(header[58:]) != sectionSize || count > mostSections || names >= count {
		return strings.NewReader("")
	}
	sections := make([]byte, count*sectionSize)
	if _, err := file.ReadAt(sections, int64(order.Uint64(header[40:]))); err != nil {
		return strings.NewReader("")
	}
	contents := func(section int) (offset, size int64) {
		at := sections[section*sectionSize:]
		return int64(order.Uint64(at[24:])), int64(order.Uint64(at[32:]))
	}
	offset, size := contents(names)
	text := make([]byte, max(min(size, mostNames), 0))
	if _, err := file.ReadAt(text, offset); err != nil {
		return strings.NewReader("")
	}
	for section := range count {
		name := int(order.Uint32(sections[section*sectionSize:]))
		if name < len(text) && bytes.HasPrefix(text[name:], []byte(".rodata\x00")) {
			offset, size = contents(section)
			return io.NewSectionReader(file, offset, max(min(size, mostData), 0))
		}
	}
	return strings.NewReader("")
}

const (
	versionMark    = "node.js/v"
	longestVersion = 32
	largestNode    = 512 << 20 // bytes
)

// findVersion returns what follows the mark in r.
func findVersion(r io.Reader) (version string, ok bool) {
	buffer := make([]byte, 0, 1<<17)
	for {
		n, err := io.ReadFull(r, buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		_, after, found := bytes.Cut(buffer, []byte(versionMark))
		if found && (len(after) >= longestVersion || err != nil) {
			return string(after[:min(len(after), longestVersion)]), true
		}
		if err != nil {
			return "", false
		}
		buffer = buffer[:copy(buffer, buffer[len(buffer)-len(versionMark)-longestVersion:])]
	}
}
