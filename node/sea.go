package node

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// seaNote is the name of the ELF note in which a single executable application
// has its code: postject and Node's own --build-sea (26) put it there
// (https://nodejs.org/api/single-executable-applications.html).
const seaNote = "NODE_SEA_BLOB\x00"

// Bounds on what is read of a file.
const (
	maxSegments = 256
	maxNotes    = 256 // in each
)

// A segment is an Elf64_Phdr (elf(5)).
type segment struct {
	Type, Flags                                uint32
	Offset, Vaddr, Paddr, Filesz, Memsz, Align uint64
}

// isSEA reports whether file is Node with an application in it. It reads some
// headers and not the 100 MB. Node runs on 64-bit little-endian machines, but for
// s390x and 32-bit ARM, where this finds nothing.
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

// hasSEANote reports whether one of the notes in a part of f is that of a single
// executable application.
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

// padded is the length with what follows up to a multiple of 4.
func padded(n uint32) int64 { return (int64(n) + 3) &^ 3 }

func readAt(f io.ReaderAt, at int64, to any) error {
	return binary.Read(io.NewSectionReader(f, at, int64(binary.Size(to))), binary.LittleEndian, to)
}

// single is a single executable application. It takes the channel as any Node
// does, but no --import: nothing can be said to it but the protocol's disconnect.
func (s commandLine) single() Program {
	p := s.direct(RuntimeNode)
	p.Single = true
	return p
}
