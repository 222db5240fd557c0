package plan

import (
	"context"
	"fmt"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/config"
)

// A Source reads the limits that this process is under, or that the user says there
// are. One goroutine may use it.
type Source struct {
	// Group is where they are read.
	Group *cgroup.Group
	// Affinity returns the number of CPUs to run on: [cgroup.Affinity]; nil takes it
	// from where the limits are read.
	Affinity func() (int, error)
	// ECS is the address of the metadata of an ECS task, asked for what Group does not
	// say, but only once: that takes a while. "" is none.
	ECS string
	// CPUs and Memory are the user's word, 0 for none.
	CPUs   config.CPUs
	Memory config.Size

	affinity int  // as last known, 0 for not
	asked    bool // ECS, which told the rest, 0 for no limit
	cpus     float64
	bytes    int64
}

// NewSource returns the source of limits that group tells, where c does not.
func NewSource(group *cgroup.Group, c config.Config) *Source {
	return &Source{Group: group, CPUs: c.CPUs, Memory: c.Memory}
}

// Read returns the limits as they are now.
func (s *Source) Read() cgroup.Limits {
	var err error
	if s.Affinity != nil {
		var n int
		if n, err = s.Affinity(); err == nil {
			s.affinity = n
		}
	}
	l := s.Group.Limits(s.affinity)
	if err != nil && s.affinity == 0 {
		l.Warnings = append(l.Warnings, err.Error())
	}
	unknown := l.CPU == 0 && s.CPUs == 0 || l.Memory == 0 && s.Memory == 0
	if !s.asked && s.ECS != "" && unknown {
		ctx, cancel := context.WithTimeout(context.Background(), cgroup.ECSTimeout)
		defer cancel()
		if s.cpus, s.bytes, err = cgroup.ECS(ctx, s.ECS); err != nil {
			l.Warnings = append(l.Warnings, fmt.Sprintf("no limits from ECS: %v", err))
		}
	}
	s.asked = true
	l = l.WithECS(s.cpus, s.bytes)
	if s.CPUs > 0 {
		l.CPU, l.CPUFrom = float64(s.CPUs), "--cpus"
	}
	if s.Memory > 0 {
		l.Memory, l.MemoryFrom, l.MemoryHigh = int64(s.Memory), "--memory", 0
	}
	return l
}
