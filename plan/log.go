package plan

import (
	"strings"

	"github.com/rs/zerolog"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/logs"
)

// Log writes the start line of nodeinit of that version: what was found, and what
// follows from it. Warnings come before it.
func (p *Plan) Log(log *logs.Logger, version string) {
	for _, warning := range p.Warnings {
		logWarning(log, warning)
	}
	for _, warning := range p.Unused {
		log.Warn("settings without effect").Str("warning", logs.Truncate(warning)).Send()
	}
	if p.Program.Daemon {
		log.Warn("another process manager").Str("warning", logs.Truncate(p.Program.Why)).Send()
	}
	if p.NoAgentReason != "" {
		log.Warn("no agent").Str("why", logs.Truncate(p.NoAgentReason)).Send()
	}
	if p.Caveat != "" {
		log.Warn("not all works as workers").Str("warning", p.Caveat).Send()
	}
	line := log.Info("starting").
		Str("version", version).
		Str("mode", string(p.Mode)).
		Str("reason", p.Reason).
		Int("workers", p.Workers)
	if start := p.Start(); start != "" {
		line = line.Str("start", start)
	}
	line = line.Str("arithmetic", p.Count.Arithmetic)
	if p.Balance != "" {
		line = line.Str("balance", p.Balance)
	}
	line = addLimits(line, p.Limits)
	if p.Heap.OldSpace > 0 {
		line = line.Int64("old_space_bytes", p.Heap.OldSpace)
	}
	if p.Heap.Others > 0 {
		line = line.Int64("others_old_space_bytes", p.Heap.Others)
	}
	if p.MaxMemory > 0 {
		line = line.Int64("max_memory_bytes", p.MaxMemory)
	}
	if p.Program.Note != "" {
		line = line.Str("resolved", logs.Truncate(p.Program.Note))
	}
	line.Str("argv", logs.Truncate(strings.Join(p.Program.Argv, " "))).Send()
}

// addLimits adds l to line.
func addLimits(line *zerolog.Event, l cgroup.Limits) *zerolog.Event {
	line = line.Int("affinity", l.Affinity)
	if l.CPU > 0 {
		line = line.Float64("cpus", l.CPU).Str("cpus_from", logs.Truncate(l.CPUFrom))
	}
	if l.Memory > 0 {
		line = line.Int64("memory_bytes", l.Memory).Str("memory_from", logs.Truncate(l.MemoryFrom))
	}
	if l.MemoryHigh > 0 {
		line = line.Int64("memory_high_bytes", l.MemoryHigh)
	}
	return line
}

func logWarning(log *logs.Logger, warning string) {
	log.Warn("check the limits").Str("warning", logs.Truncate(warning)).Send()
}
