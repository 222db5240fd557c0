package cgroup

// OOM says whose memory limit made the kernel kill.
type OOM int

const (
	OOMNone  OOM = iota // the kernel killed nobody, or does not count it
	OOMLimit            // the limit of this container
	OOMAbove            // a limit above the container, or the whole machine
)

// OOMSince tells whether the kernel killed a process of this cgroup for want of
// memory since before, and for whose limit. Read after wait4 has returned it is
// never too early: the kernel counts before it kills (mm/oom_kill.c,
// __oom_kill_process).
//
// The kernel counts oom_kill where the victim was and oom where the limit was,
// and on v2 both also in every cgroup above (memcg_memory_event). So if oom
// stands still here, the limit is further up. On a v2 hierarchy mounted with
// memory_localevents, cgroups below this one do not count.
//
// v1 has no oom. There failcnt grows in the cgroup whose limit it was
// (page_counter_try_charge), or the peak is at the limit. Both also happen when
// reclaim helped, so on v1 OOMLimit may now and then be OOMAbove. Where nothing
// is known it is OOMLimit, the usual case.
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
