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

// Agent reports whether the program's Node can load nodeinit's agent (agent.js),
// and if not the reason, "" where there is no Node to load it.
func (p Program) Agent() (ok bool, why string) {
	if p.Runtime != RuntimeNode || p.Join == JoinNone {
		return false, ""
	}
	if p.Single {
		return false, "a single executable application takes no --import"
	}
	e, name, options := p.environment(), "node", ""
	if p.Join == JoinDirect {
		name = p.Argv[0]
		if script := parseNodeArgs(p.Argv).script; isNode(filepath.Base(name)) && script > 0 {
			options = strings.Join(p.Argv[1:script], " ")
		}
	}
	if why := e.refusesImport(options); why != "" {
		return false, why
	}
	if major, minor, known := e.nodeVersion(name); known && !supportsImport(major, minor) {
		return false, fmt.Sprintf("Node %d.%d takes no --import in NODE_OPTIONS (Node 18.18 and later do)", major, minor)
	}
	return true, ""
}

// supportsImport reports whether that Node takes --import in NODE_OPTIONS. For an
// unknown option there Node exits with status 9.
func supportsImport(major, minor int) bool { return major > 18 || major == 18 && minor >= 18 }

// nodeVersion returns the version of the node called name, from its file or, where
// most of Node is in a shared library, from its headers. NODE_VERSION, which official
// images set, may be that of another node.
func (e environment) nodeVersion(name string) (major, minor int, ok bool) {
	file, err := e.find(name)
	if err != nil {
		return 0, 0, false
	}
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
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

// parseVersion parses the first two numbers of 18.17.1; anything may follow.
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

// versionInBinary looks for the string that Node 18 to 26 have in their read-only
// data (src/tracing: "node.js/v18.17.1"), in the first megabyte as far as seen.
func versionInBinary(path string) (major, minor int, ok bool) {
	file, err := exec.OpenRegular(path)
	if err != nil {
		return 0, 0, false
	}
	defer file.Close()
	version, found := findVersion(readOnlyData(file))
	if !found {
		return 0, 0, false
	}
	return parseVersion(version)
}

// maxData is how many bytes of the read-only data are searched.
const maxData = 4 << 20

// readOnlyData returns the first maxData bytes of the section .rodata of a 64-bit
// ELF file (elf(5)), nothing of any other file. debug/elf would add 0.3 MB to the
// binary.
func readOnlyData(file io.ReaderAt) io.Reader {
	const headerSize, sectionSize, maxSections, maxNames = 64, 64, 512, 1 << 16
	order := binary.NativeEndian // the file is for this machine
	header := make([]byte, headerSize)
	if _, err := file.ReadAt(header, 0); err != nil || string(header[:5]) != "\x7fELF\x02" {
		return strings.NewReader("")
	}
	count := int(order.Uint16(header[60:]))
	names := int(order.Uint16(header[62:])) // index of the section with the names
	if order.Uint16(header[58:]) != sectionSize || count > maxSections || names >= count {
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
	text := make([]byte, max(min(size, maxNames), 0))
	if _, err := file.ReadAt(text, offset); err != nil {
		return strings.NewReader("")
	}
	for section := range count {
		name := int(order.Uint32(sections[section*sectionSize:]))
		if name < len(text) && bytes.HasPrefix(text[name:], []byte(".rodata\x00")) {
			offset, size = contents(section)
			return io.NewSectionReader(file, offset, max(min(size, maxData), 0))
		}
	}
	return strings.NewReader("")
}

const (
	versionMark = "node.js/v"
	maxVersion  = 32 // bytes
)

// findVersion returns what follows versionMark in r.
func findVersion(r io.Reader) (version string, ok bool) {
	buffer := make([]byte, 0, 1<<17)
	for {
		n, err := io.ReadFull(r, buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		_, after, found := bytes.Cut(buffer, []byte(versionMark))
		if found && (len(after) >= maxVersion || err != nil) {
			return string(after[:min(len(after), maxVersion)]), true
		}
		if err != nil {
			return "", false
		}
		buffer = buffer[:copy(buffer, buffer[len(buffer)-len(versionMark)-maxVersion:])]
	}
}
