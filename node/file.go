package node

import "golang.org/x/sys/unix"

// isStream reports whether the file at path can be read once only, as it comes
// from another process or is what this one was given as a descriptor.
func isStream(path string) bool {
	var stat unix.Stat_t
	if unix.Stat(path, &stat) != nil {
		return false
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR:
		return path == "/dev/stdin" || path == "/dev/fd/0" || path == "/proc/self/fd/0"
	default:
		return true
	}
}
