package node

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
)

// Limits on what is read of a file.
const (
	maxSegments = 256
	maxSections = 512
	maxNotes    = 256 // per segment
	maxNames    = 1 << 16
	maxData     = 4 << 20 // bytes of the read-only data
)

// Of a 64-bit ELF file (elf(5)), the fields that are used.
type (
	elfHeader struct {
		Ident, _                             [16]byte
		Phoff, Shoff                         uint64
		_                                    [8]byte
		Phnum, Shentsize, Shnum, NameSection uint16
	}
	elfSection struct {
		Name         uint32 // index in the names
		_            [20]byte
		Offset, Size uint64
		_            [24]byte
	}
	elfSegment struct {
		Type, _ uint32
		Offset  uint64
		_       [16]byte
		Size    uint64
		_       [16]byte
	}
)

// readELF reads the header of a 64-bit ELF file for this machine. debug/elf would add
// 0.3 MB to the binary.
func readELF(f io.ReaderAt) (header elfHeader, ok bool) {
	err := readAt(f, 0, &header)
	return header, err == nil && bytes.HasPrefix(header.Ident[:], []byte("\x7fELF\x02"))
}

// readOnlyData returns the first maxData bytes of the section .rodata of an ELF file,
// nothing of any other file.
func readOnlyData(f io.ReaderAt) io.Reader {
	none := strings.NewReader("")
	header, ok := readELF(f)
	sections := make([]elfSection, min(header.Shnum, maxSections))
	if !ok || int(header.Shentsize) != binary.Size(elfSection{}) || int(header.NameSection) >= len(sections) ||
		readAt(f, header.Shoff, sections) != nil {
		return none
	}
	names := sections[header.NameSection]
	text := make([]byte, min(names.Size, maxNames))
	if readAt(f, names.Offset, text) != nil {
		return none
	}
	for _, s := range sections {
		if int64(s.Name) < int64(len(text)) && bytes.HasPrefix(text[s.Name:], []byte(".rodata\x00")) {
			return io.NewSectionReader(f, int64(s.Offset), int64(min(s.Size, maxData)))
		}
	}
	return none
}

// hasNote reports whether an ELF file has a note of that name.
func hasNote(f io.ReaderAt, name string) bool {
	header, ok := readELF(f)
	segments := make([]elfSegment, min(header.Phnum, maxSegments))
	if !ok || readAt(f, header.Phoff, segments) != nil {
		return false
	}
	for _, s := range segments {
		const ptNote = 4
		if s.Type == ptNote && isAmong(f, name, s.Offset, s.Offset+s.Size) {
			return true
		}
	}
	return false
}

// isAmong reports whether a note of that name is among those from at to end in f.
func isAmong(f io.ReaderAt, name string, at, end uint64) bool {
	const headerSize = 12
	padded := func(n uint32) uint64 { return (uint64(n) + 3) &^ 3 }
	for range maxNotes {
		var note struct{ NameSize, Size, Type uint32 }
		if at+headerSize > end || readAt(f, at, &note) != nil {
			return false
		}
		text := make([]byte, len(name))
		if int64(note.NameSize) == int64(len(name)) && readAt(f, at+headerSize, text) == nil && string(text) == name {
			return true
		}
		at += headerSize + padded(note.NameSize) + padded(note.Size)
	}
	return false
}

func readAt(f io.ReaderAt, at uint64, to any) error {
	return binary.Read(io.NewSectionReader(f, int64(at), int64(binary.Size(to))), binary.NativeEndian, to)
}
