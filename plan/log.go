package plan

import (
	"strings"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/logs"
)

// Log writes the start line of nodeinit of that version: what was found, and what
// follows from it. Warnings come before it.
func (p *Plan) Log(log *logs.Logger, version string) {
	p.eachWarning(func(msg, key, text string) { log.Warn(msg).Str(key, logs.Truncate(text)).Send() })
	line := log.Info("starting").Str("version", version)
	line.Str("mode", string(p.Mode)).Str("reason", p.Reason).Int("workers", p.Workers)
	addText(line, "start", p.Start())
	line.Str("arithmetic", p.Count.Arithmetic)
	addText(line, "balance", p.Balance)
	addText(line, "logs", string(p.Logs.Stdout))
	if p.Logs.Stderr != p.Logs.Stdout {
		line.Str("logs_stderr", string(p.Logs.Stderr))
	}
	addLimits(line, p.Limits)
	addBytes(line, "old_space_bytes", p.Heap.OldSpace)
	addBytes(line, "others_old_space_bytes", p.Heap.Others)
	addBytes(line, "max_memory_bytes", p.MaxMemory)
	addText(line, "resolved", p.Program.Note)
	line.Str("argv", logs.Truncate(strings.Join(p.Program.Argv, " "))).Send()
}

// addLimits adds l to line.
func addLimits(line *logs.Event, l cgroup.Limits) {
	line.Int("affinity", l.Affinity)
	if l.CPU > 0 {
		line.Float64("cpus", l.CPU).Str("cpus_from", logs.Truncate(l.CPUFrom))
	}
	if l.Memory > 0 {
		line.Int64("memory_bytes", l.Memory).Str("memory_from", logs.Truncate(l.MemoryFrom))
	}
	addBytes(line, "memory_high_bytes", l.MemoryHigh)
}

// addText adds text to line, unless it is empty.
func addText(line *logs.Event, key, text string) {
	if text != "" {
		line.Str(key, logs.Truncate(text))
	}
}

// addBytes adds n to line, unless it is 0.
func addBytes(line *logs.Event, key string, n int64) {
	if n > 0 {
		line.Int64(key, n)
	}
}

// limitsMsg is the message of warnings about the limits.
const limitsMsg = "check the limits"

// eachWarning calls warn for each thing to warn of, with a message for the log and
// the key of the text there.
func (p *Plan) eachWarning(warn func(msg, key, text string)) {
	for _, text := range p.Warnings {
		warn(limitsMsg, "warning", text)
	}
	if p.Caveat != "" {
		warn("not all works as workers", "warning", p.Caveat)
	}
	for _, text := range p.Unused {
		warn("settings without effect", "warning", text)
	}
	if p.Program.Daemon {
		warn("another process manager", "warning", p.Program.Why)
	}
	if p.NoAgentReason != "" {
		warn("no agent", "why", p.NoAgentReason)
	}
}
