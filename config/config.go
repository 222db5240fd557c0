// Package config is what a user can set: flags, NODEINIT_ variables, their
// defaults, and the help that describes them.
//
// Each setting is declared once, as a field of [Config]. The name of its variable
// is in the tag env and makes the name of the flag: STOP_SIGNAL is
// NODEINIT_STOP_SIGNAL and --stop-signal. A flag wins over the environment, which
// wins over the default. The long text of nodeinit help FLAG is in help.txt.
//
// [FromEnviron] reads the variables, [Config.Parse] the flags, each value by its own
// type; [Config.Check] finds what does not go together. Errors are for the user: one
// line, with the name of the setting, the value and an example.
package config

import (
	"time"

	"github.com/nodeinit/nodeinit/signals"
)

//go:generate go test . -run ^TestReadme$ -count 1 -update

// DefaultReadyTimeout is how long a worker may take to be ready.
const DefaultReadyTimeout = 30 * time.Second

// Config is all that a user can set. Start from [Default] or [FromEnviron].
//
// The tags of a field besides env: short, the one-letter flag; arg, what stands
// for the value in --help; choices, the values that a [Choice] can have, where arg
// does not list them; must, what else a value has to be (see option.verify);
// default, what the default means where its value does not say it; pm2, PM2's names
// for it, or for a value: cluster=per-core; help, the line in --help; negated, that
// --no-NAME turns it off; needs, without what it has no effect (see [Config.Given]),
// but for the value without. A []T takes several values: flags are repeated,
// variables separated by commas, or with envSeparator by the ends of lines.
type Config struct {
	Workers      WorkerCount `env:"WORKERS" pm2:"instances|i" arg:"auto|max|N" needs:"mode" without:"1" help:"how many workers; auto: by the limits"`
	Mode         Choice      `env:"MODE" pm2:"cluster=per-core" arg:"auto|fork|per-core" help:"one process, or one worker per CPU"`
	Pre          []Command   `env:"PRE" envSeparator:"\x00" arg:"CMD" help:"run this once before the program; repeatable"`
	Grace        Duration    `env:"GRACE" pm2:"kill-timeout" arg:"D" help:"from the stop signal to SIGKILL; 0: no limit"`
	StopSignal   Signal      `env:"STOP_SIGNAL" arg:"SIG" must:"stop" default:"the signal that nodeinit got" help:"the signal that the program gets to stop"`
	DrainDelay   Duration    `env:"DRAIN_DELAY" arg:"D" help:"go on serving for so long after the stop signal"`
	ReloadSignal Signal      `env:"RELOAD_SIGNAL" arg:"SIG" must:"reload" default:"off" needs:"workers" help:"the signal that replaces the workers one by one"`
	MaxCrashes   Number      `env:"MAX_CRASHES" pm2:"max-restarts" arg:"N" needs:"workers" help:"how many crashed workers to replace; then exit"`
	MaxMemory    MaxMemory   `env:"MAX_MEMORY" pm2:"max-memory-restart" arg:"SIZE|P%" needs:"workers" help:"replace a worker whose memory stays above"`

	WorkerConfig  `group:"workers"`
	LimitConfig   `group:"limits"`
	LogConfig     `group:"log"`
	MetricsConfig `group:"metrics"`
	TiniConfig    `group:"as tini"`
	OtherConfig   `group:"other"`

	given map[string]source // by flag: how it was set; not there: it has the default
}

// WorkerConfig is what else has to do with workers.
type WorkerConfig struct {
	Balance      Choice   `env:"BALANCE" pm2:"sticky=ip-hash" arg:"rr|shared|reuseport|ip-hash" default:"rr" needs:"workers" help:"which worker gets a connection"`
	Ready        Choice   `env:"READY" pm2:"wait-ready" arg:"listen|message|none" default:"listen" needs:"channel" without:"none" help:"when a worker counts as ready"`
	ReadyTimeout Duration `env:"READY_TIMEOUT" pm2:"listen-timeout" arg:"D" needs:"channel" help:"how long that may take; 0: no limit"`
	StopOrder    Choice   `env:"STOP_ORDER" arg:"auto|signal|drain" needs:"channel" without:"signal" help:"what comes first when a worker is to stop"`
	CrashWindow  Duration `env:"CRASH_WINDOW" arg:"D" needs:"workers" help:"within which time crashes are counted; 0: all are"`
	MaxAge       Duration `env:"MAX_AGE" pm2:"cron-restart" arg:"D" needs:"workers" help:"replace a worker that is so old; 0: never"`
	HangTimeout  Duration `env:"HANG_TIMEOUT" arg:"D" must:"hang" needs:"agent" help:"end a worker whose event loop stands still for so long; 0: never"`
	Resize       Toggle   `env:"RESIZE" negated:"true" help:"follow limits that change (on by itself)"`
	NoAgent      Toggle   `env:"NO_AGENT" help:"put no JavaScript into Node: no drain, no hang timeout"`
}

// LimitConfig is what there is, and what Node may have of it.
type LimitConfig struct {
	Heap   Heap `env:"HEAP" arg:"auto|off|SIZE" help:"Node's heap limit; auto: from the memory limit"`
	CPUs   CPUs `env:"CPUS" arg:"N" default:"the CPU limit" help:"CPUs there are, whatever the cgroup says"`
	Memory Size `env:"MEMORY" arg:"SIZE" default:"the memory limit" help:"memory there is, whatever the cgroup says"`
}

// LogConfig is what happens to the program's output, and how nodeinit logs.
type LogConfig struct {
	Logs        Choice   `env:"LOGS" pm2:"log-type|merge-logs|combine-logs" arg:"auto|raw|lines|json" help:"the program's output: untouched, whole lines, JSON"`
	LogFields   Choice   `env:"LOG_FIELDS" arg:"default|gcp|datadog|ecs" needs:"fields" help:"key and level names in JSON lines: those that a backend expects"`
	Redact      []Regexp `env:"REDACT" envSeparator:"\x00" arg:"REGEXP" help:"replace each match in a line with [redacted]; repeatable"`
	NoMultiline Toggle   `env:"NO_MULTILINE" needs:"json" help:"an object for each line of a stack trace (with --logs json)"`
	StripColors Toggle   `env:"STRIP_COLORS" needs:"json" help:"remove colours (ANSI) from lines of text (with --logs json)"`

	LogTo     Choice `env:"LOG_TO" arg:"stdout|stderr" help:"where nodeinit's own lines go"`
	LogLevel  Choice `env:"LOG_LEVEL" arg:"LEVEL" choices:"info|trace|debug|warn|error|off" help:"trace, debug, info, warn, error or off"`
	LogFormat Choice `env:"LOG_FORMAT" arg:"auto|json|text" help:"auto: text on a terminal without --logs json"`
	Verbose   Count  `env:"VERBOSE" short:"v" help:"log each signal and orphan; -vv also what was started"`
}

// MetricsConfig is what nodeinit shows over TCP, and how it asks the program over HTTP.
type MetricsConfig struct {
	Metrics        Address  `env:"METRICS" arg:"[IP:]PORT" help:"serve /metrics, /livez, /readyz and /status on this TCP port"`
	MetricsApp     Route    `env:"METRICS_APP" arg:"[PORT]/PATH" needs:"metrics" help:"each worker's own metrics, which /metrics has too"`
	HealthPath     Route    `env:"HEALTH_PATH" arg:"[PORT]/PATH" help:"ask each worker for this; replace those that do not answer 2xx"`
	HealthInterval Duration `env:"HEALTH_INTERVAL" arg:"D" must:"positive" needs:"health" help:"how often, and how long an answer may take"`
	HealthFailures Number   `env:"HEALTH_FAILURES" arg:"N" must:"positive" needs:"health" help:"after how many failures in a row a worker is replaced"`
}

// TiniConfig is what tini has too, under the same letters.
type TiniConfig struct {
	Group      Toggle            `env:"GROUP" short:"g" help:"send signals to the program's process group"`
	Rewrite    []signals.Rewrite `env:"REWRITE" short:"r" arg:"FROM:TO" help:"forward TO when FROM comes; 0 drops it; repeatable"`
	RemapExit  []Remap           `env:"REMAP_EXIT" short:"e" arg:"CODE[:TO]" help:"exit with TO (or 0) instead of CODE; repeatable"`
	Subreaper  Toggle            `env:"SUBREAPER" short:"s" help:"adopt orphans where not PID 1 (on by itself)"`
	Pdeathsig  Signal            `env:"PDEATHSIG" short:"p" arg:"SIG" default:"off" help:"signal for nodeinit when its parent dies"`
	WarnOnReap Toggle            `env:"WARN_ON_REAP" short:"w" help:"log each orphan reaped at warn"`
}

// OtherConfig is how status, reload and the like reach nodeinit, and what programs that
// were written for PM2 may need.
type OtherConfig struct {
	Control     Control `env:"CONTROL" arg:"auto|off|PATH" help:"the socket for status, top, reload, scale, health and profile"`
	StopMessage Text    `env:"STOP_MESSAGE" pm2:"shutdown-with-message" arg:"TEXT" default:"none" needs:"channel" help:"what process.on('message') gets before the stop signal"`
	InstanceVar EnvName `env:"INSTANCE_VAR" arg:"NAME|off" needs:"workers" without:"off" help:"the variable that has a worker's number, from 0"`
}

// Default returns what holds where nothing is set.
func Default() Config {
	return Config{
		Mode:  "auto",
		Grace: Duration(9 * time.Second), // a second less than docker stop waits
		WorkerConfig: WorkerConfig{
			ReadyTimeout: Duration(DefaultReadyTimeout), CrashWindow: Duration(time.Minute), StopOrder: "auto", Resize: true,
		},
		LimitConfig:   LimitConfig{Heap: Heap{Auto: true}},
		LogConfig:     LogConfig{Logs: "auto", LogFields: "default", LogFormat: "auto", LogLevel: "info", LogTo: "stdout"},
		MetricsConfig: MetricsConfig{HealthInterval: Duration(5 * time.Second), HealthFailures: 3},
		TiniConfig:    TiniConfig{Subreaper: true},
		OtherConfig:   OtherConfig{Control: "auto", InstanceVar: "NODE_APP_INSTANCE"},
		given:         make(map[string]source),
	}
}
