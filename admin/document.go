// Package admin lets other processes of the container see and steer a running
// nodeinit: its control socket, what it answers, and the client of both.
package admin

// ProtocolVersion is that of the control protocol and of [Document]. It changes
// when a client of the former version would misunderstand something.
const ProtocolVersion = 1

// A Document is the state of a running nodeinit, as `nodeinit status --json` prints
// it: docs/status.schema.json describes it. A nil pointer is a value that is not
// known.
type Document struct {
	Version  int     `json:"version"`
	Nodeinit Process `json:"nodeinit"`
	Mode     string  `json:"mode"` // fork or per-core
	State    string  `json:"state"`
	Ready    int     `json:"ready"`            // workers that serve
	Want     int     `json:"want"`             // slots there are to be
	Scaled   bool    `json:"scaled,omitempty"` // Want is what scale N has set
	Change   string  `json:"change,omitempty"`
	// Argv is the command line of the program. Over HTTP there is none.
	Argv    []string `json:"argv,omitempty"`
	Limits  Limits   `json:"limits"`
	Memory  *int64   `json:"memory_bytes,omitempty"` // in use by the cgroup
	Starts  int      `json:"starts"`
	Crashes int      `json:"crashes"`
	Reloads int      `json:"reloads"`
	// Throttled is the share of the scheduler's periods since the start in which
	// the cgroup had used up its CPU quota.
	Throttled *float64 `json:"throttled_ratio,omitempty"`
	OOMKills  *int64   `json:"oom_kills,omitempty"`
	Listen    []Listen `json:"listen"`
	Workers   []Worker `json:"workers"`
}

// A Process is nodeinit itself.
type Process struct {
	Version  string  `json:"version"`
	PID      int     `json:"pid"`
	Uptime   float64 `json:"uptime_seconds"`
	Resident *int64  `json:"resident_memory_bytes,omitempty"`
}

// Limits are those of the container, and where each was read; "" and 0 are none.
type Limits struct {
	CPUs       float64 `json:"cpus,omitempty"`
	CPUsFrom   string  `json:"cpus_from,omitempty"`
	Memory     int64   `json:"memory_bytes,omitempty"`
	MemoryFrom string  `json:"memory_from,omitempty"`
}

// A Listen is a listening socket of the workers.
type Listen struct {
	Address string `json:"address"`
	Queue   *int   `json:"queue,omitempty"`   // connections that wait to be accepted
	Backlog *int   `json:"backlog,omitempty"` // that may wait
}

// A Worker is one, or a slot that waits for its next one: then it has no PID.
type Worker struct {
	Slot       int      `json:"slot"`
	PID        int      `json:"pid,omitempty"`
	State      string   `json:"state"`
	Uptime     float64  `json:"uptime_seconds"`
	Restarts   int      `json:"restarts"`              // workers that the slot had before
	CPU        *float64 `json:"cpu_ratio,omitempty"`   // CPU seconds per second, lately
	CPUSeconds *float64 `json:"cpu_seconds,omitempty"` // since its start
	Resident   *int64   `json:"resident_memory_bytes,omitempty"`
	// HeartbeatAge is the time since the worker has reported what follows, in seconds.
	HeartbeatAge *float64 `json:"heartbeat_age_seconds,omitempty"`
	HeapUsed     *int64   `json:"heap_used_bytes,omitempty"`
	HeapLimit    *int64   `json:"heap_limit_bytes,omitempty"`
	Utilization  *float64 `json:"loop_utilization,omitempty"` // 0 to 1
	DelayP99     *float64 `json:"loop_delay_p99_seconds,omitempty"`
	Connections  *int64   `json:"connections,omitempty"` // open
	Requests     *int64   `json:"requests,omitempty"`    // answered or in hand
	// HealthFailures is how many health checks in a row have failed, and HealthError why
	// the last one has.
	HealthFailures int    `json:"health_failures,omitempty"`
	HealthError    string `json:"health_error,omitempty"`
	LastExit       string `json:"last_exit,omitempty"` // of the worker before it in the slot
}
