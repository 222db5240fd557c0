package cgroup

import (
	"strconv"
	"strings"
)

// ProcessRoom returns how many more processes and threads the container's limit
// allows: the minimum of pids.max less pids.current over all visible levels. limited
// is false without a limit. The files are the same in v1 and v2
// (Documentation/admin-guide/cgroup-v2.rst, PID).
func (g *Group) ProcessRoom() (room int, limited bool) {
	r := reader{root: g.root}
	for _, dir := range g.pids.levels {
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
