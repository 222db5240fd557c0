package cgroup

// MemoryInUse returns how many bytes the process's own cgroup uses without page cache, which
// the kernel takes back when it needs memory. Unlike MemoryCurrent, this comes near to the
// limit only where memory is scarce. It is unknown where Stats are.
func (g *Group) MemoryInUse() Counter {
	r := reader{root: g.root}
	memory := g.own(&r, g.memory)
	used, prefix := number(memory.read("memory.current")), ""
	if memory.version == 1 {
		// Without total_ the cgroups below are not counted, which usage_in_bytes does.
		used, prefix = number(memory.read("memory.usage_in_bytes")), "total_"
	}
	stat := memory.read("memory.stat")
	for _, key := range []string{"active_file", "inactive_file"} {
		used.Value -= min(counter(stat, prefix+key).Value, used.Value)
	}
	return used
}
