package admin

import (
	"math"
	"strconv"

	"github.com/nodeinit/nodeinit/logs"
)

// AppendJSON appends d as JSON, in one line. It is what encoding/json makes of d, but
// that strings need not be UTF-8: see [logs.AppendString]. encoding/json would hold
// memory for its buffers and for what it knows of the types.
func (d *Document) AppendJSON(dst []byte) []byte {
	o := object{dst}
	o.open("{")
	o.integer("version", int64(d.Version))
	d.Nodeinit.encode(&o)
	o.text("mode", d.Mode)
	o.text("state", d.State)
	o.integer("ready", int64(d.Ready))
	o.integer("want", int64(d.Want))
	if d.Scaled {
		o.key("scaled")
		o.dst = append(o.dst, "true"...)
	}
	o.textIfAny("change", d.Change)
	if len(d.Argv) > 0 {
		o.key("argv")
		o.open("[")
		for _, word := range d.Argv {
			o.comma()
			o.dst = logs.AppendString(o.dst, word)
		}
		o.close("]")
	}
	d.Limits.encode(&o)
	o.integerIfKnown("memory_bytes", d.Memory)
	o.integer("starts", int64(d.Starts))
	o.integer("crashes", int64(d.Crashes))
	o.integer("reloads", int64(d.Reloads))
	o.numberIfKnown("throttled_ratio", d.Throttled)
	o.integerIfKnown("oom_kills", d.OOMKills)
	o.key("listen")
	o.open("[")
	for i := range d.Listen {
		d.Listen[i].encode(&o)
	}
	o.close("]")
	o.key("workers")
	o.open("[")
	for i := range d.Workers {
		d.Workers[i].encode(&o)
	}
	o.close("]")
	o.close("}")
	return o.dst
}

func (p *Process) encode(o *object) {
	o.key("nodeinit")
	o.open("{")
	o.text("version", p.Version)
	o.integer("pid", int64(p.PID))
	o.number("uptime_seconds", p.Uptime)
	o.integerIfKnown("resident_memory_bytes", p.Resident)
	o.close("}")
}

func (l *Limits) encode(o *object) {
	o.key("limits")
	o.open("{")
	if l.CPUs != 0 {
		o.number("cpus", l.CPUs)
	}
	o.textIfAny("cpus_from", l.CPUsFrom)
	if l.Memory != 0 {
		o.integer("memory_bytes", l.Memory)
	}
	o.textIfAny("memory_from", l.MemoryFrom)
	o.close("}")
}

func (l *Listen) encode(o *object) {
	o.comma()
	o.open("{")
	o.text("address", l.Address)
	o.integerIfKnown("queue", wide(l.Queue))
	o.integerIfKnown("backlog", wide(l.Backlog))
	o.close("}")
}

func wide(n *int) *int64 {
	if n == nil {
		return nil
	}
	w := int64(*n)
	return &w
}

func (w *Worker) encode(o *object) {
	o.comma()
	o.open("{")
	o.integer("slot", int64(w.Slot))
	if w.PID != 0 {
		o.integer("pid", int64(w.PID))
	}
	o.text("state", w.State)
	o.number("uptime_seconds", w.Uptime)
	o.integer("restarts", int64(w.Restarts))
	o.numberIfKnown("cpu_ratio", w.CPU)
	o.numberIfKnown("cpu_seconds", w.CPUSeconds)
	o.integerIfKnown("resident_memory_bytes", w.Resident)
	o.numberIfKnown("heartbeat_age_seconds", w.HeartbeatAge)
	o.integerIfKnown("heap_used_bytes", w.HeapUsed)
	o.integerIfKnown("heap_limit_bytes", w.HeapLimit)
	o.numberIfKnown("loop_utilization", w.Utilization)
	o.numberIfKnown("loop_delay_p99_seconds", w.DelayP99)
	o.integerIfKnown("connections", w.Connections)
	o.integerIfKnown("requests", w.Requests)
	if w.HealthFailures != 0 {
		o.integer("health_failures", int64(w.HealthFailures))
	}
	o.textIfAny("health_error", w.HealthError)
	o.textIfAny("last_exit", w.LastExit)
	o.close("}")
}

// An object is JSON that is being made.
type object struct{ dst []byte }

func (o *object) open(bracket string) { o.dst = append(o.dst, bracket...) }

func (o *object) close(bracket string) { o.dst = append(o.dst, bracket...) }

// comma comes before what is not the first.
func (o *object) comma() {
	if last := o.dst[len(o.dst)-1]; last != '{' && last != '[' {
		o.dst = append(o.dst, ',')
	}
}

func (o *object) key(name string) {
	o.comma()
	o.dst = append(o.dst, '"')
	o.dst = append(o.dst, name...)
	o.dst = append(o.dst, '"', ':')
}

func (o *object) text(name, value string) {
	o.key(name)
	o.dst = logs.AppendString(o.dst, value)
}

func (o *object) textIfAny(name, value string) {
	if value != "" {
		o.text(name, value)
	}
}

func (o *object) integer(name string, value int64) {
	o.key(name)
	o.dst = strconv.AppendInt(o.dst, value, 10)
}

func (o *object) integerIfKnown(name string, value *int64) {
	if value != nil {
		o.integer(name, *value)
	}
}

// number adds a number, 0 if it is one that JSON has not. Numbers of usual sizes have
// no exponent.
func (o *object) number(name string, value float64) {
	o.key(name)
	format := byte('f')
	switch size := math.Abs(value); {
	case size != size || size > math.MaxFloat64:
		value = 0
	case size != 0 && size < 1e-6 || size >= 1e21:
		format = 'e'
	}
	o.dst = strconv.AppendFloat(o.dst, value, format, -1, 64)
}

func (o *object) numberIfKnown(name string, value *float64) {
	if value != nil {
		o.number(name, *value)
	}
}
