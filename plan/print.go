package plan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
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
	Logs            string   `json:"logs"`
	LogsStderr      string   `json:"logs_stderr"`
	Warnings        []string `json:"warnings"`
}

// WriteJSON writes p to w, for programs.
func (p *Plan) WriteJSON(w io.Writer) error {
	l := p.Limits
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(Explanation{
		CPUs: orNull(l.CPU), CPUsFrom: orNull(l.CPUFrom), Affinity: l.Affinity,
		MemoryBytes: orNull(l.Memory), MemoryFrom: orNull(l.MemoryFrom), MemoryHighBytes: orNull(l.MemoryHigh),
		Approximate: l.Approximate,
		Workers:     p.Count.Allowed, Mode: string(p.Mode), Reason: p.Reason,
		Start: orNull(p.Start()), Balance: orNull(p.Balance), MaxMemoryBytes: orNull(p.MaxMemory),
		Argv: append([]string{}, p.Program.Argv...), EnvAdded: append([]string{}, p.EnvAdded...), // [] where empty
		Logs: string(p.Logs.Stdout), LogsStderr: string(p.Logs.Stderr),
		Warnings: p.allWarnings(),
	})
}

// orNull returns nil for the zero value, which stands for no limit.
func orNull[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}

// WriteText writes p to w, for people.
func (p *Plan) WriteText(w io.Writer) error {
	l := p.Limits
	var b strings.Builder
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-12s %s\n", name, text)
		}
	}
	limit := func(name, value, from string) {
		if from == "" {
			value, from = "no limit", "no file sets one"
		}
		row(name, value+"  ("+from+")")
	}
	row("of", p.Of)
	limit("cpus", fmt.Sprintf("%g", l.CPU), l.CPUFrom)
	limit("memory", mebibytes(l.Memory), l.MemoryFrom)
	row("memory.high", mebibytes(l.MemoryHigh))
	row("affinity", fmt.Sprintf("%d CPUs", l.Affinity))
	if l.Approximate {
		row("approximate", "this process's own cgroup is out of sight; the nearest in sight was read")
	}
	row("workers", fmt.Sprintf("%d  (%s)", p.Count.Allowed, p.Count.Arithmetic))
	row("mode", fmt.Sprintf("%s  (%s)", p.Mode, p.Reason))
	row("start", p.Start())
	row("balance", p.Balance)
	for _, argv := range p.Pre {
		row("before it", fmt.Sprintf("%q", argv))
	}
	if len(p.Program.Argv) > 0 {
		row("would start", fmt.Sprintf("%q", p.Program.Argv))
	}
	row("resolved", p.Program.Note)
	if p.MaxMemory > 0 {
		row("max memory", mebibytes(p.MaxMemory)+" each")
	}
	row("heap", p.Heap.Text)
	for _, kv := range p.EnvAdded {
		row("with", kv)
	}
	row("logs", p.logsText())
	p.writeLife(row)
	for _, warning := range p.allWarnings() {
		row("warning", warning)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// mebibytes returns n bytes as text, "" for 0.
func mebibytes(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d MiB", n/mib)
}

// writeLife prints when what runs is stopped and replaced.
func (p *Plan) writeLife(row func(name, text string)) {
	c := &p.config
	within := func(d config.Duration, zero string) string {
		if d == 0 {
			return zero
		}
		return d.String()
	}
	row("stop signal", cmp.Or(c.StopSignal.String(), "the one that nodeinit gets"))
	row("grace", within(c.Grace, "no limit"))
	if p.Mode == Fork {
		return
	}
	row("reload", cmp.Or(c.ReloadSignal.String(), "no signal is set (--reload-signal HUP)"))
	row("ready", cmp.Or(string(c.Ready), "listen")+", within "+within(c.ReadyTimeout, "any time"))
	switch {
	case c.MaxCrashes == 0:
		row("crashes", "the first ends the container (--max-crashes 0)")
	case c.CrashWindow == 0:
		row("crashes", fmt.Sprintf("%d are replaced", c.MaxCrashes))
	default:
		row("crashes", fmt.Sprintf("%d are replaced within %s", c.MaxCrashes, c.CrashWindow))
	}
}

// allWarnings returns what the log would warn of, as lines; never nil.
func (p *Plan) allWarnings() []string {
	lines := []string{}
	p.eachWarning(func(msg, key, text string) {
		if key == "why" { // a reason says nothing by itself
			text = msg + ": " + text
		}
		lines = append(lines, text)
	})
	return lines
}
