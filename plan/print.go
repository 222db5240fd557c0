package plan

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/nodeinit/nodeinit/config"
	"github.com/nodeinit/nodeinit/logs"
)

// WriteJSON writes p to w, for programs. Limits that are not there are null.
func (p *Plan) WriteJSON(w io.Writer) error {
	l := p.Limits
	var b []byte
	add := func(name string, value []byte) {
		start := ",\n  \""
		if b == nil {
			start = "{\n  \""
		}
		b = append(append(append(b, start...), name+`": `...), value...)
	}
	integer := func(name string, value int64) { add(name, strconv.AppendInt(nil, value, 10)) }
	text := func(name, value string) { add(name, logs.AppendString(nil, value)) }
	known := func(is bool, name string, value []byte) {
		if !is {
			value = []byte("null")
		}
		add(name, value)
	}
	integerIfAny := func(name string, value int64) { known(value != 0, name, strconv.AppendInt(nil, value, 10)) }
	textIfAny := func(name, value string) { known(value != "", name, logs.AppendString(nil, value)) }

	known(l.CPU != 0, "cpus", strconv.AppendFloat(nil, l.CPU, 'f', -1, 64))
	integerIfAny("memory_bytes", l.Memory)
	integerIfAny("memory_high_bytes", l.MemoryHigh)
	integer("affinity", int64(l.Affinity))
	textIfAny("cpus_from", l.CPUFrom)
	textIfAny("memory_from", l.MemoryFrom)
	add("approximate", strconv.AppendBool(nil, l.Approximate))
	integer("workers", int64(p.Count.Allowed))
	text("mode", string(p.Mode))
	text("reason", p.Reason)
	textIfAny("start", p.Start())
	textIfAny("balance", p.Balance)
	add("argv", appendStrings(p.Program.Argv))
	add("env_added", appendStrings(p.EnvAdded))
	integerIfAny("max_memory_bytes", p.MaxMemory)
	text("logs", string(p.Logs.Stdout))
	text("logs_stderr", string(p.Logs.Stderr))
	add("warnings", appendStrings(p.allWarnings()))
	_, err := w.Write(append(b, "\n}\n"...))
	return err
}

// appendStrings returns list as a JSON array within an object.
func appendStrings(list []string) []byte {
	if len(list) == 0 {
		return []byte("[]")
	}
	b := []byte("[")
	for i, text := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = logs.AppendString(append(b, "\n    "...), text)
	}
	return append(b, "\n  ]"...)
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
	if c.Metrics.Port != 0 {
		text := c.Metrics.String()
		if c.MetricsApp.Path != "" {
			text += ", with " + c.MetricsApp.String() + " of each worker"
		}
		row("metrics", text)
	}
	if c.HealthPath.Path != "" {
		text := c.HealthPath.String() + " of each worker, every " + c.HealthInterval.String()
		if p.Mode != Fork {
			text += fmt.Sprintf("; one that fails %d times in a row is replaced", c.HealthFailures)
		}
		row("health", text)
	}
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
