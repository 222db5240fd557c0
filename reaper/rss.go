package reaper

import (
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// RSS returns the resident set of a process in bytes, as /proc below root has it.
func RSS(root fs.FS, pid int) (int64, error) {
	// proc_pid_statm(5): size, resident, shared and so on, in pages.
	name := fmt.Sprintf("proc/%d/statm", pid)
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, fmt.Errorf("resident set: %w", err)
	}
	_, rest, _ := strings.Cut(string(text), " ")
	resident, _, _ := strings.Cut(rest, " ")
	pages, err := strconv.ParseInt(resident, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("resident set: /%s: %w", name, err)
	}
	return pages * int64(os.Getpagesize()), nil
}
