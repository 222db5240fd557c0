package cgroup

import (
	"io/fs"
	"strconv"
	"strings"
)

// ProcessRoom returns how many more processes and threads the container's limit
// allows: the minimum of pids.max less pids.current over all visible levels. limited
// is false without a limit. The files are the same in v1 and v2
// (Documentation/admin-guide/cgroup-v2.rst, PID).
func ProcessRoom(root fs.FS) (room int, limited bool) {
	r := reader{root: root}
	cgroups, ok1 := r.read("/proc/self/cgroup", maxFile)
	mountinfo, ok2 := r.read("/proc/self/mountinfo", maxMountinfo)
	if !ok1 || !ok2 {
		return 0, false
	}
	memberships, err1 := parseMemberships(cgroups)
	mounts, err2 := parseMounts(mountinfo)
	if err1 != nil || err2 != nil {
		return 0, false
	}
	for _, dir := range r.locate("pids", memberships, mounts).levels {
		limit, err1 := r.pids(dir + "/pids.max") // an error for "max", which is no limit
		used, err2 := r.pids(dir + "/pids.current")
		if err1 == nil && err2 == nil && (!limited || limit-used < room) {
			room, limited = limit-used, true
		}
	}
	return room, limited
}

func (r *reader) pids(file string) (int, error) {
	text, _ := r.readIfAny(file)
	return strconv.Atoi(strings.TrimSpace(text))
}
