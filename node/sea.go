package node

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// seaNote is the name of the ELF note with the code of a single executable
// application. postject writes it, and Node's own --build-sea (26);
// https://nodejs.org/api/single-executable-applications.html
const seaNote = "NODE_SEA_BLOB\x00"

// Limits on what is read of a file.
const (
	maxSegments = 256
	maxNotes    = 256 // per segment
)

// A segment is an Elf64_Phdr (elf(5)).
type segment struct {
	Type, Flags                                uint32
	Offset, Vaddr, Paddr, Filesz, Memsz, Align uint64
}

// isSEA reports whether file is a single executable application: Node with an
// application in it. Such a program takes the channel but no --import, so that it
// has no agent. isSEA reads a few headers of the 100 MB, of 64-bit little-endian
// files only: on s390x and 32-bit ARM it reports false.
func isSEA(file string) bool {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	var header struct { // Elf64_Ehdr
		Ident            [16]byte
		Type, Machine    uint16
		Version          uint32
		Entry, Phoff     uint64
		Shoff            uint64
		Flags            uint32
		Ehsize           uint16
		Phentsize, Phnum uint16
		Shentsize, Shnum uint16
		Shstrndx         uint16
	}
	if readAt(f, 0, &header) != nil || !bytes.HasPrefix(header.Ident[:], []byte("\x7fELF\x02\x01")) {
		return false
	}
	for i := range min(int64(header.Phnum), maxSegments) {
		var s segment
		if readAt(f, int64(header.Phoff)+i*int64(header.Phentsize), &s) != nil {
			return false
		}
		const ptNote = 4
		if s.Type == ptNote && hasSEANote(f, int64(s.Offset), int64(s.Offset)+int64(s.Filesz)) {
			return true
		}
	}
	return false
}

// hasSEANote reports whether seaNote is among the notes from at to end in f.
func hasSEANote(f io.ReaderAt, at, end int64) bool {
	for range maxNotes {
		var note struct { // Elf64_Nhdr
			Name, Desc, Type uint32
		}
		const size = 12
		if at < 0 || at+size > end || readAt(f, at, &note) != nil {
			return false
		}
		name := make([]byte, len(seaNote))
		if _, err := f.ReadAt(name, at+size); err == nil && int(note.Name) == len(seaNote) && string(name) == seaNote {
			return true
		}
		at += size + padded(note.Name) + padded(note.Desc)
	}
	return false
}

// padded returns n rounded up to a multiple of 4.
func padded(n uint32) int64 { return (int64(n) + 3) &^ 3 }

func readAt(f io.ReaderAt, at int64, to any) error {
	return binary.Read(io.NewSectionReader(f, at, int64(binary.Size(to))), binary.LittleEndian, to)
}
