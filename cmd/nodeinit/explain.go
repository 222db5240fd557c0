package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/nodeinit/nodeinit/cgroup"
)

// An explanation is what nodeinit explain --json prints. Limits that are not
// there are null.
type explanation struct {
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

// explain prints the limits, where each was read, and what would be started
// with which environment. It starts nothing.
func (a *app) explain(args []string) int {
	set := flagSet(&a.config)
	asJSON := set.Bool("json", false, "")
	root := set.String("root", "", "")
	if code, ok := a.parseSub("explain", set, args); !ok {
		return code
	}
	limits, err := a.limitsBelow(*root)
	if err != nil {
		return a.misused(err)
	}
	p, err := a.makePlan(limits, set.Args())
	if err != nil {
		return a.misused(err)
	}
	if p.caveat != "" {
		p.warnings = append(p.warnings, p.caveat)
	}
	p.warnings = append(p.warnings, p.unused...)
	if p.agentless != "" {
		p.warnings = append(p.warnings, "no agent: "+p.agentless)
	}
	if *asJSON {
		err = p.writeJSON(a.stdout)
	} else {
		err = p.writeText(a.stdout)
	}
	if err != nil {
		a.tell(fmt.Errorf("explain: %w", err))
		return exitInternal
	}
	return 0
}

// limitsBelow returns the limits that the /proc and /sys below root tell of,
// this process's own if root is empty.
func (a *app) limitsBelow(root string) (cgroup.Limits, error) {
	if root == "" {
		_, l := a.liveLimits(os.DirFS("/"), new(task))
		return l, nil
	}
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return cgroup.Limits{}, fmt.Errorf("--root: %q is not a directory (give one that holds proc and sys)", root)
	}
	return a.readLimits(cgroup.Find(os.DirFS(root)), 0, nil), nil
}

func (p plan) writeJSON(w io.Writer) error {
	l := p.limits
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(explanation{
		CPUs:            orNull(l.CPU),
		MemoryBytes:     orNull(l.Memory),
		MemoryHighBytes: orNull(l.MemoryHigh),
		Affinity:        l.Affinity,
		CPUsFrom:        orNull(l.CPUFrom),
		MemoryFrom:      orNull(l.MemoryFrom),
		Approximate:     l.Approximate,
		Workers:         p.allowed,
		Mode:            string(p.mode),
		Reason:          p.reason,
		Start:           orNull(p.start()),
		Balance:         orNull(string(p.balance)),
		Argv:            orEmpty(p.program.Argv),
		EnvAdded:        orEmpty(p.envAdded),
		MaxMemoryBytes:  orNull(p.maxMemory),
		Warnings:        orEmpty(p.warnings),
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

func (p plan) writeText(w io.Writer) error {
	l := p.limits
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, fmt.Sprintf(format, args...))
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
	row("workers", "%d  (%s)", p.allowed, p.arithmetic)
	row("mode", "%s  (%s)", p.mode, p.reason)
	if start := p.start(); start != "" {
		row("start", "%s", start)
	}
	if p.balance != "" {
		row("balance", "%s", p.balance)
	}
	if len(p.program.Argv) > 0 {
		row("would start", "%q", p.program.Argv)
	}
	if p.program.Note != "" {
		row("resolved", "%s", p.program.Note)
	}
	if p.maxMemory > 0 {
		row("max memory", "%d MiB each", p.maxMemory/mib)
	}
	if p.heapSums != "" {
		row("heap", "%s", p.heapSums)
	}
	for _, kv := range p.envAdded {
		row("with", "%s", kv)
	}
	for _, warning := range p.warnings {
		row("warning", "%s", warning)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
