// Package cgroup reads the CPU and memory limits of the container that the process
// runs in, and the kernel's counters of what those limits did to it.
//
// [Find] locates the process's cgroup in a file system, once. [Group.Limits] then
// reads the limits, and [Group.Stats] the counters, as often as needed.
// [Limits.Workers] returns how many processes the limits are good for, and
// [Stats.OOMSince] whether the kernel killed one for want of memory.
//
// cgroup v1, v2 and the hybrid of both are read at every visible level from the
// process's own cgroup up. Nothing fails: what cannot be read or parsed counts as no
// limit and gives a warning. Limits that a container cannot see are those of an
// Amazon ECS task; [ECS] asks for them.
package cgroup

import (
	"fmt"
	"io/fs"
	"path"
)

// A Group is the process's own cgroup, located once. It holds no open files
// and may be used by several goroutines at once.
type Group struct {
	root     fs.FS
	cpu      location
	memory   location
	pids     location
	warnings []string
}

// A location is where the files of one controller are. The zero location is that of
// a controller that was not found.
type location struct {
	version int      // 1 or 2; 0: not found
	levels  []string // absolute directories that exist, innermost first, at least one
	first   relation // of the first level
}

// A relation tells which cgroup a directory is.
type relation int

const (
	other    relation = iota // the root of a mount that does not cover the process's cgroup
	ancestor                 // its nearest visible ancestor
	self                     // the process's own cgroup
)

// Find locates the cgroup of the calling process. root is the file system rooted at
// "/", of which it reads proc/self and the cgroup mounts. Find never fails: the
// Warnings of [Group.Limits] list what is missing.
func Find(root fs.FS) *Group {
	g := &Group{root: root}
	r := reader{root: root}
	cgroups, ok1 := r.read("/proc/self/cgroup", maxFile)
	mountinfo, ok2 := r.read("/proc/self/mountinfo", maxMountinfo)
	if ok1 && ok2 {
		memberships, err := parseMemberships(cgroups)
		r.check("/proc/self/cgroup", err)
		mounts, err := parseMounts(mountinfo)
		r.check("/proc/self/mountinfo", err)
		g.cpu = r.locate("cpu", memberships, mounts)
		g.memory = r.locate("memory", memberships, mounts)
		g.warnings = r.warnings
		g.pids = r.locate("pids", memberships, mounts) // where there is none, there is no limit
		return g
	}
	g.warnings = r.warnings
	return g
}

// locate returns the location of one controller. The kernel binds a controller to
// one hierarchy at a time (kernel/cgroup/cgroup.c, rebind_subsystems): if no v1 line
// of memberships has it, it is on v2.
func (r *reader) locate(controller string, memberships map[string]string, mounts []mount) location {
	version, key := 1, controller
	if _, ok := memberships[key]; !ok {
		version, key = 2, unified
	}
	if version == 2 && r.v2.version == 2 {
		return r.v2 // of another controller
	}
	own, ok := memberships[key]
	if !ok {
		r.warn(fmt.Errorf("no %s controller in /proc/self/cgroup", controller))
		return location{}
	}
	var best location
	for _, m := range mounts {
		if !m.has(key) {
			continue
		}
		if l := r.locateIn(m, own); l.betterThan(best) {
			best = l
			best.version = version
		}
	}
	if version == 2 {
		r.v2 = best
	}
	switch {
	case best.version == 0:
		r.warn(fmt.Errorf("no cgroup mount for the %s controller that can be read", controller))
	case best.approximate():
		r.warn(fmt.Errorf("cgroup %.200q is not visible, reading %s instead", own, best.levels[0]))
	}
	return best
}

// locateIn returns the levels of the cgroup own that are visible in m: from own, or
// its nearest visible ancestor, up to the root of the mount. If m does not cover own
// the root of the mount is the best approximation.
func (r *reader) locateIn(m mount, own string) location {
	rel, covers := m.below(own)
	l := location{first: other}
	if covers {
		l.first = self
	}
	for dir := path.Join(m.point, rel); ; dir = path.Dir(dir) {
		if r.isDir(dir) {
			l.levels = append(l.levels, dir)
		} else if covers && len(l.levels) == 0 {
			l.first = ancestor
		}
		if dir == m.point {
			return l
		}
	}
}

// betterThan prefers the location that begins with the process's own cgroup, and of
// two such the one with more levels.
func (l location) betterThan(m location) bool {
	if len(l.levels) == 0 || len(m.levels) == 0 {
		return len(l.levels) > 0
	}
	if l.first != m.first {
		return l.first > m.first
	}
	return len(l.levels) > len(m.levels)
}

// approximate reports whether the controller was found, but not the process's own
// cgroup.
func (l location) approximate() bool { return l.version != 0 && l.first != self }
