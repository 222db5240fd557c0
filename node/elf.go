package node

import (
	"bytes"
	"io"
	"unsafe"
)

// Limits on what is read of a file.
const (
	maxSegments = 256
	maxSections = 512
	maxNotes    = 256 // per segment
	maxNames    = 1 << 16
	maxData     = 4 << 20 // bytes of the read-only data
)

// Of a 64-bit ELF file (elf(5)), the fields that are used, where C has them.
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
func readELF(f io.ReaderAt) (_ elfHeader, ok bool) {
	of := make([]elfHeader, 1)
	err := readAt(f, 0, of)
	return of[0], err == nil && bytes.HasPrefix(of[0].Ident[:], []byte("\x7fELF\x02"))
}

// readOnlyData returns the first maxData bytes of the section .rodata of an ELF file,
// nothing of any other file.
func readOnlyData(f io.ReaderAt) *io.SectionReader {
	none := io.NewSectionReader(f, 0, 0)
	header, ok := readELF(f)
	sections := make([]elfSection, min(header.Shnum, maxSections))
	if !ok || uintptr(header.Shentsize) != unsafe.Sizeof(elfSection{}) || int(header.NameSection) >= len(sections) ||
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
	header, text := make([]uint32, headerSize/4), make([]byte, len(name)) // the sizes of name and content, and the type
	padded := func(n uint32) uint64 { return (uint64(n) + 3) &^ 3 }
	for range maxNotes {
		if at+headerSize > end || readAt(f, at, header) != nil {
			return false
		}
		nameSize, size := header[0], header[1]
		if int64(nameSize) == int64(len(name)) && readAt(f, at+headerSize, text) == nil && string(text) == name {
			return true
		}
		at += headerSize + padded(nameSize) + padded(size)
	}
	return false
}

// readAt fills to with what is at that place in f, as it is: T has no pointers.
// (binary.Read would go through reflection.)
func readAt[T any](f io.ReaderAt, at uint64, to []T) error {
	size := len(to) * int(unsafe.Sizeof(*new(T)))
	_, err := f.ReadAt(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(to))), size), int64(at))
	return err
}
