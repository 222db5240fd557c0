package cgroup

// OOM is the memory limit that made the kernel kill.
type OOM int

// The memory limits.
const (
	OOMNone  OOM = iota // none: the kernel killed no process, or does not count them
	OOMLimit            // the limit of this container
	OOMAbove            // a limit above the container, or the whole machine
)

// OOMSince returns whether the kernel killed a process of this cgroup for want of
// memory since before, and for which limit. Stats read after wait4 has returned
// include that process: the kernel counts before it kills (mm/oom_kill.c,
// __oom_kill_process).
//
// The kernel counts oom_kill in the cgroup of the victim and oom in that of the
// limit, and on v2 both also in every cgroup above (memcg_memory_event). So if oom
// does not grow here the limit is further up. On a v2 hierarchy mounted with
// memory_localevents, cgroups below this one do not count.
//
// v1 has no oom. There failcnt grows in the cgroup of the limit
// (page_counter_try_charge), or the peak is at the limit. Both also happen when
// reclaiming helped, so on v1 OOMLimit may sometimes be wrong for OOMAbove. Where
// nothing is known the result is OOMLimit, the usual case.
func (s Stats) OOMSince(before Stats) OOM {
	if s.OOMKill.Since(before.OOMKill).Value == 0 {
		return OOMNone
	}
	oom, failcnt := s.OOM.Since(before.OOM), s.Failcnt.Since(before.Failcnt)
	if oom.Value > 0 || failcnt.Value > 0 || s.swapPeaked {
		return OOMLimit
	}
	if !oom.Known && !failcnt.Known {
		return OOMLimit
	}
	return OOMAbove
}
