package admin

import "github.com/nodeinit/nodeinit/rawjson"

// decode reads what AppendJSON has made.
func (d *Document) decode(o *rawjson.Decoder) {
	o.Int("version", &d.Version)
	o.Object("nodeinit", d.Nodeinit.decode)
	o.Text("mode", &d.Mode)
	o.Text("state", &d.State)
	o.Int("ready", &d.Ready)
	o.Int("want", &d.Want)
	o.Bool("scaled", &d.Scaled)
	o.Text("change", &d.Change)
	o.Texts("argv", &d.Argv)
	o.Object("limits", d.Limits.decode)
	integer(o, "memory_bytes", &d.Memory)
	o.Int("starts", &d.Starts)
	o.Int("crashes", &d.Crashes)
	o.Int("reloads", &d.Reloads)
	number(o, "throttled_ratio", &d.Throttled)
	integer(o, "oom_kills", &d.OOMKills)
	o.Objects("listen", func(o *rawjson.Decoder) {
		l := Listen{}
		o.Text("address", &l.Address)
		small(o, "queue", &l.Queue)
		small(o, "backlog", &l.Backlog)
		d.Listen = append(d.Listen, l)
	})
	o.Objects("workers", func(o *rawjson.Decoder) {
		w := Worker{}
		w.decode(o)
		d.Workers = append(d.Workers, w)
	})
}

func (p *Process) decode(o *rawjson.Decoder) {
	o.Text("version", &p.Version)
	o.Int("pid", &p.PID)
	o.Float("uptime_seconds", &p.Uptime)
	integer(o, "resident_memory_bytes", &p.Resident)
}

func (l *Limits) decode(o *rawjson.Decoder) {
	o.Float("cpus", &l.CPUs)
	o.Text("cpus_from", &l.CPUsFrom)
	o.Int64("memory_bytes", &l.Memory)
	o.Text("memory_from", &l.MemoryFrom)
}

func (w *Worker) decode(o *rawjson.Decoder) {
	o.Int("slot", &w.Slot)
	o.Int("pid", &w.PID)
	o.Text("state", &w.State)
	o.Float("uptime_seconds", &w.Uptime)
	o.Int("restarts", &w.Restarts)
	number(o, "cpu_ratio", &w.CPU)
	number(o, "cpu_seconds", &w.CPUSeconds)
	integer(o, "resident_memory_bytes", &w.Resident)
	number(o, "heartbeat_age_seconds", &w.HeartbeatAge)
	integer(o, "heap_used_bytes", &w.HeapUsed)
	integer(o, "heap_limit_bytes", &w.HeapLimit)
	number(o, "loop_utilization", &w.Utilization)
	number(o, "loop_delay_p99_seconds", &w.DelayP99)
	integer(o, "connections", &w.Connections)
	integer(o, "requests", &w.Requests)
	o.Int("health_failures", &w.HealthFailures)
	o.Text("health_error", &w.HealthError)
	o.Text("last_exit", &w.LastExit)
}

// integer, number and small read what need not be there.
func integer(o *rawjson.Decoder, name string, to **int64) {
	if o.From.Get(name) != nil {
		*to = new(int64)
		o.Int64(name, *to)
	}
}

func number(o *rawjson.Decoder, name string, to **float64) {
	if o.From.Get(name) != nil {
		*to = new(float64)
		o.Float(name, *to)
	}
}

func small(o *rawjson.Decoder, name string, to **int) {
	if o.From.Get(name) != nil {
		*to = new(int)
		o.Int(name, *to)
	}
}
