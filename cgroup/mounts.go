package cgroup

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// unified stands for the v2 hierarchy among controllers: in /proc/self/cgroup its line
// has none.
const unified = ""

// parseMemberships reads /proc/self/cgroup: for each controller, or unified,
// the cgroup that the process is in. The format is
//
//	hierarchy-ID ":" controllers, comma-separated ":" path
//
// (kernel/cgroup/cgroup.c, proc_cgroup_show). The path may have colons but no
// line feed (cgroup_mkdir refuses it), and is not escaped. The error is about
// the first line that was skipped.
func parseMemberships(text string) (map[string]string, error) {
	var bad error
	memberships := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		fields := strings.SplitN(line, ":", 3)
		// proc_cgroup_show fails rather than print a path above PATH_MAX.
		if len(fields) != 3 || !strings.HasPrefix(fields[2], "/") || len(fields[2]) > unix.PathMax {
			bad = firstError(bad, fmt.Errorf("malformed line %.60q", line))
			continue
		}
		for controller := range strings.SplitSeq(fields[1], ",") {
			if _, ok := memberships[controller]; !ok {
				memberships[controller] = fields[2]
			}
		}
	}
	return memberships, bad
}

// A mount is one cgroup mount.
type mount struct {
	root        string   // the cgroup at the mount point
	point       string   // absolute and clean
	controllers []string // v1: its controllers, among other options; v2: unified
}

// parseMounts returns the cgroup mounts in /proc/self/mountinfo that no other mount
// covers. The error is about the first line that was skipped.
func parseMounts(text string) ([]mount, error) {
	var bad error
	var mounts []mount
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		m, err := parseMount(line)
		if err != nil {
			bad = firstError(bad, err)
			continue
		}
		// A later mount on the same point covers an earlier one. The kernel lists a
		// mount after the one that it is mounted on.
		mounts = slices.DeleteFunc(mounts, func(under mount) bool { return under.point == m.point })
		if m.controllers != nil {
			mounts = append(mounts, m)
		}
	}
	return mounts, bad
}

// parseMount reads one line of /proc/self/mountinfo, which has the form
//
//	36 35 98:0 /root /point opts [tag[:value]]... - fstype source superopts
//
// with one space between the fields, which may be empty; space, tab, line feed
// and backslash in a field are octal escapes (fs/proc_namespace.c,
// show_mountinfo; kernel/cgroup/cgroup.c, cgroup_show_path). Other mounts have
// no controllers.
func parseMount(line string) (mount, error) {
	before, after, ok := strings.Cut(line, " - ")
	fields, tail := strings.Split(before, " "), strings.Split(after, " ")
	if !ok || len(fields) < 6 || len(tail) < 3 || !strings.HasPrefix(fields[4], "/") {
		return mount{}, fmt.Errorf("malformed line %.60q", line)
	}
	m := mount{root: unescape(fields[3]), point: path.Clean(unescape(fields[4]))}
	switch tail[0] {
	case "cgroup":
		m.controllers = strings.Split(tail[2], ",") // cgroup1_show_options
	case "cgroup2":
		m.controllers = []string{unified}
	}
	return m, nil
}

func (m mount) has(controller string) bool {
	return slices.Contains(m.controllers, controller)
}

// below returns the path of the cgroup own relative to the mount, if the mount covers
// it.
//
// Both paths are relative to the root of the cgroup namespace and start with "/.."
// where they lead out of it (kernel/cgroup/cgroup.c, cgroup_path_ns); then the names
// on the way down again are unknown.
func (m mount) below(own string) (rel string, ok bool) {
	rel, ok = strings.CutPrefix(own, strings.TrimSuffix(m.root, "/"))
	if !ok || rel != "" && rel[0] != '/' || slices.Contains(strings.Split(rel, "/"), "..") {
		return "", false
	}
	return rel, true
}

// unescape undoes the kernel's seq_escape: a backslash and three octal digits.
func unescape(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 || i+4 > len(s) {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
			b.WriteByte(byte(c))
			s = s[i+4:]
		} else {
			b.WriteByte('\\')
			s = s[i+1:]
		}
	}
}

func firstError(first, err error) error {
	if first != nil {
		return first
	}
	return err
}
