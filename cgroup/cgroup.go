// Package cgroup reads the CPU and memory limits of the container that the
// process runs in, and the counters that tell what those limits did to it.
//
// It understands cgroup v1, v2 and the hybrid of both, looks at every level
// between the process's own cgroup and the top of what is mounted, and never
// fails: what cannot be read or understood is no limit, and a warning.
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
	cpu      place
	memory   place
	warnings []string
}

// A place is where one controller keeps the cgroup of this process. The zero
// place is that of a controller which was not found.
type place struct {
	version int      // 1 or 2; 0: not found
	levels  []string // absolute directories that exist, innermost first, at least one
	shows   shows
}

// shows says what the first level of a place is.
type shows int

const (
	another   shows = iota // the root of a mount that does not have our cgroup
	parent                 // the nearest parent that exists
	ourselves              // the process's own cgroup
)

// Find locates the cgroup of the calling process by what root, an fs.FS rooted
// at "/", has under proc/self. It never fails: whatever is missing is told by
// the Warnings of [Group.Limits].
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
	}
	g.warnings = r.warnings
	return g
}

// locate finds the place of one controller. The kernel binds a controller to
// one hierarchy at a time (kernel/cgroup/cgroup.c, rebind_subsystems), so one
// that a v1 line names is not on v2, and every other one is.
func (r *reader) locate(controller string, memberships map[string]string, mounts []mount) place {
	version, key := 1, controller
	if _, ok := memberships[key]; !ok {
		version, key = 2, unified
	}
	own, ok := memberships[key]
	if !ok {
		r.warn(fmt.Errorf("no %s controller in /proc/self/cgroup", controller))
		return place{}
	}
	var best place
	for _, m := range mounts {
		if !m.has(key) {
			continue
		}
		if p := r.placeIn(m, own); p.betterThan(best) {
			best = p
			best.version = version
		}
	}
	switch {
	case best.version == 0:
		r.warn(fmt.Errorf("no cgroup mount for the %s controller that can be read", controller))
	case best.shows != ourselves:
		r.warn(fmt.Errorf("cgroup %.200q is not visible, reading %s instead", own, best.levels[0]))
	}
	return best
}

// placeIn returns the levels that m shows of the cgroup own: those from own, or
// from its nearest parent that exists, to the root of the mount. If m does not
// cover own at all, the root of the mount is the best guess there is.
func (r *reader) placeIn(m mount, own string) place {
	rel, covers := m.below(own)
	p := place{shows: another}
	if covers {
		p.shows = ourselves
	}
	for dir := path.Join(m.point, rel); ; dir = path.Dir(dir) {
		if r.isDir(dir) {
			p.levels = append(p.levels, dir)
		} else if covers && len(p.levels) == 0 {
			p.shows = parent
		}
		if dir == m.point {
			return p
		}
	}
}

// betterThan prefers the mount that shows the own cgroup, and of those the one
// that shows the most levels above it.
func (p place) betterThan(q place) bool {
	if len(p.levels) == 0 || len(q.levels) == 0 {
		return len(p.levels) > 0
	}
	if p.shows != q.shows {
		return p.shows > q.shows
	}
	return len(p.levels) > len(q.levels)
}

// guessed says that the controller is there, but the own cgroup is not.
func (p place) guessed() bool {
	return p.version != 0 && p.shows != ourselves
}
