package plan

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nodeinit/nodeinit/config"
)

// An Explanation is what [Plan.WriteJSON] writes. Limits that are not there are
// null.
type Explanation struct {
	CPUs            *float64 `json:"cpus"`
	MemoryBytes     *int64   `json:"memory_bytes"`
	MemoryHighBytes *int64   `json:"memory_high_bytes"`
	Affinity        int      `json:"affinity"`
	CPUsFrom        *string  `json:"cpus_from"`
	MemoryFrom      *string  `json:"memory_from"`
	Approximate     bool     `json:"approximate"`
	Workers         int      `json:"workers"`
	Mode            string   `json:"mode"`
	Reason          string   `json:"reason"`
	Start           *string  `json:"start"`
	Balance         *string  `json:"balance"`
	Argv            []string `json:"argv"`
	EnvAdded        []string `json:"env_added"`
	MaxMemoryBytes  *int64   `json:"max_memory_bytes"`
	Warnings        []string `json:"warnings"`
}

// WriteJSON writes p to w, for programs.
func (p *Plan) WriteJSON(w io.Writer) error {
	l := p.Limits
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(Explanation{
		CPUs:            orNull(l.CPU),
		MemoryBytes:     orNull(l.Memory),
		MemoryHighBytes: orNull(l.MemoryHigh),
		Affinity:        l.Affinity,
		CPUsFrom:        orNull(l.CPUFrom),
		MemoryFrom:      orNull(l.MemoryFrom),
		Approximate:     l.Approximate,
		Workers:         p.Count.Allowed,
		Mode:            string(p.Mode),
		Reason:          p.Reason,
		Start:           orNull(p.Start()),
		Balance:         orNull(p.Balance),
		Argv:            orEmpty(p.Program.Argv),
		EnvAdded:        orEmpty(p.EnvAdded),
		MaxMemoryBytes:  orNull(p.MaxMemory),
		Warnings:        orEmpty(p.allWarnings()),
	})
}

// orNull returns nil for the zero value, which stands for no limit.
func orNull[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// WriteText writes p to w, for people.
func (p *Plan) WriteText(w io.Writer) error {
	l := p.Limits
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	if p.Of != "" {
		row("of", "%s", p.Of)
	}
	limit := func(name, value, from string) {
		if from == "" {
			value, from = "no limit", "no file sets one"
		}
		row(name, "%s  (%s)", value, from)
	}
	limit("cpus", fmt.Sprintf("%g", l.CPU), l.CPUFrom)
	limit("memory", fmt.Sprintf("%d MiB", l.Memory/mib), l.MemoryFrom)
	if l.MemoryHigh > 0 {
		row("memory.high", "%d MiB", l.MemoryHigh/mib)
	}
	row("affinity", "%d CPUs", l.Affinity)
	if l.Approximate {
		row("approximate", "this process's own cgroup is out of sight; the nearest in sight was read")
	}
	row("workers", "%d  (%s)", p.Count.Allowed, p.Count.Arithmetic)
	row("mode", "%s  (%s)", p.Mode, p.Reason)
	if start := p.Start(); start != "" {
		row("start", "%s", start)
	}
	if p.Balance != "" {
		row("balance", "%s", p.Balance)
	}
	for _, argv := range p.Pre {
		row("before it", "%q", argv)
	}
	if len(p.Program.Argv) > 0 {
		row("would start", "%q", p.Program.Argv)
	}
	if p.Program.Note != "" {
		row("resolved", "%s", p.Program.Note)
	}
	if p.MaxMemory > 0 {
		row("max memory", "%d MiB each", p.MaxMemory/mib)
	}
	if p.Heap.Text != "" {
		row("heap", "%s", p.Heap.Text)
	}
	for _, kv := range p.EnvAdded {
		row("with", "%s", kv)
	}
	p.writeLife(row)
	for _, warning := range p.allWarnings() {
		row("warning", "%s", warning)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeLife prints when what runs is stopped and replaced.
func (p *Plan) writeLife(row func(name, format string, args ...any)) {
	c := &p.config
	or := func(value, zero string) string {
		if value == "" || value == "0s" {
			return zero
		}
		return value
	}
	row("stop signal", "%s", or(c.StopSignal.String(), "the one that nodeinit gets"))
	row("grace", "%s", or(c.Grace.String(), "no limit"))
	if p.Mode == Fork {
		return
	}
	row("reload", "%s", or(c.ReloadSignal.String(), "no signal is set (--reload-signal HUP)"))
	row("ready", "%s, within %s", or(string(c.Ready), "listen"), or(c.ReadyTimeout.String(), "any time"))
	row("crashes", "%s", crashes(c))
}

func crashes(c *config.Config) string {
	switch {
	case c.MaxCrashes == 0:
		return "the first ends the container (--max-crashes 0)"
	case c.CrashWindow == 0:
		return fmt.Sprintf("%d are replaced", c.MaxCrashes)
	default:
		return fmt.Sprintf("%d are replaced within %s", c.MaxCrashes, c.CrashWindow)
	}
}

// allWarnings returns what the log would warn of, as lines.
func (p *Plan) allWarnings() []string {
	all := slices.Concat(p.Warnings, p.Unused)
	if p.Caveat != "" {
		all = slices.Insert(all, len(p.Warnings), p.Caveat)
	}
	if p.Program.Daemon {
		all = append(all, p.Program.Why)
	}
	if p.NoAgentReason != "" {
		all = append(all, "no agent: "+p.NoAgentReason)
	}
	return all
}
