package main

import (
	"fmt"
	"strings"
)

// usage prints what fits a screen.
func (a *app) usage() {
	var b strings.Builder
	b.WriteString("nodeinit [flags] [--] command [args...]     run a program as PID 1\n")
	b.WriteString("nodeinit explain|pause|version|help         see nodeinit help explain, ...\n\n")
	var groups []string
	members := make(map[string][]string)
	for _, o := range options(&a.config) {
		if o.group == "" {
			fmt.Fprintf(&b, "  %-27s %s\n", o.usage(), o.help)
			continue
		}
		if members[o.group] == nil {
			groups = append(groups, o.group)
		}
		members[o.group] = append(members[o.group], o.usage())
	}
	for _, group := range groups {
		b.WriteString(wrapped("  "+group+": ", members[group]))
	}
	b.WriteString("  -h, --help; --version\n\n")
	b.WriteString("--stop-signal TERM is also NODEINIT_STOP_SIGNAL=TERM, and so on; flags win.\n")
	b.WriteString("More: nodeinit help FLAG\n")
	fmt.Fprint(a.stdout, b.String())
}

// usage returns how o is given.
func (o option) usage() string {
	text := "--" + o.flag
	if o.short != "" {
		text = "-" + o.short + ", " + text
	}
	if o.negated {
		text += ", --no-" + o.flag
	}
	return strings.TrimRight(text+" "+o.arg, " ")
}

// wrapped joins items in lines of at most 80 columns below a heading.
func wrapped(heading string, items []string) string {
	text, column := heading, len(heading)
	for i, item := range items {
		if i < len(items)-1 {
			item += ";"
		}
		switch {
		case i == 0:
		case column+1+len(item) > 80:
			text, column = text+"\n"+strings.Repeat(" ", len(heading)), len(heading)
		default:
			item = " " + item
		}
		text, column = text+item, column+len(item)
	}
	return text + "\n"
}

// help prints more about one flag or subcommand.
func (a *app) help(args []string) int {
	if len(args) == 0 {
		a.usage()
		return 0
	}
	if len(args) > 1 {
		return a.misused(fmt.Errorf("help: %q: one word only (try nodeinit help grace)", args[1]))
	}
	word := strings.TrimLeft(args[0], "-")
	original := defaults()
	known := []string{"explain", "pause", "version", "help"}
	for _, o := range options(&original) {
		known = append(known, o.flag)
		if word == "" || word != o.flag && word != o.short && !(o.negated && word == "no-"+o.flag) {
			continue
		}
		fmt.Fprintf(a.stdout, "%s\n  %s\n  environment: %s", strings.TrimSpace("--"+o.flag+" "+o.arg), o.help, o.env)
		if def := fmt.Sprint(o.value.Interface()); def != "" && def != "[]" {
			fmt.Fprintf(a.stdout, "   default: %s", def)
		}
		fmt.Fprintf(a.stdout, "\n\n%s\n", topic(o.flag))
		return 0
	}
	if text := topic(word); text != "" {
		fmt.Fprintln(a.stdout, text)
		return 0
	}
	return a.misused(fmt.Errorf("help: %q: no such flag or subcommand (did you mean %s?)", args[0], nearest(word, known)))
}

// topic returns the long text about a flag or subcommand, "" for an unknown one.
func topic(name string) string {
	switch name {
	case "mode":
		return "fork runs the program as one process. per-core runs --workers of it, which share\ntheir ports: each is a worker of Node's cluster module and nodeinit is its primary. auto,\nwhere the program is Node and the limits are good for more than one worker, starts one,\nand the others when it asks for its first server: a job runs once. per-core starts all at\nonce, for programs that never listen. nodeinit explain says what it would be."
	case "workers":
		return "auto: WEB_CONCURRENCY where that is set; else the CPU limit rounded to the nearest, and\nat most one for each 256 MiB of memory. max: one for each CPU of the affinity mask.\nEach worker finds its number, from 0, in NODE_APP_INSTANCE and NODEINIT_WORKER."
	case "balance":
		return "Who gets a connection. rr (the default): nodeinit passes them to the workers in turn.\nshared: all workers accept from one socket; faster where each request is a connection of\nits own, but long-lived ones spread unevenly. reuseport: the kernel has a queue for each\nworker. ip-hash: a client address always reaches the same worker (socket.io's polling);\nbehind a proxy there is only one. NODE_CLUSTER_SCHED_POLICY=none is shared."
	case "pre":
		return "A command to run to its end, once, before the program, for example \"node migrate.js\".\nIf it fails, nodeinit exits with its status. Repeat it for several. Words are split as a\nshell splits them; there is no shell. In the environment each line is a command."
	case "cpus":
		return "CPUs there are, for example 1.5, when a limit above the container's own view\n(a task, a VM) is not to be seen in its cgroup."
	case "memory":
		return "Memory there is, as 512M or 1Gi (powers of 1024) or in bytes, when a limit above\nthe container's own view is not to be seen in its cgroup."
	case "heap":
		return "auto: where there is a memory limit and neither the command nor NODE_OPTIONS sizes\nthe heap, NODE_OPTIONS gains --max-old-space-size: four fifths of the limit, of much\nmemory nine tenths, divided by the workers. So V8 fails with its own message before the\nkernel kills. Worker 0 gets what a single process gets, because it may be a job that\nnever listens and stays alone; not with --mode per-core. off: Node decides. SIZE: that\nmuch for each."
	case "grace":
		return "How long the program may take to end after the first stop signal (SIGTERM, SIGINT,\nSIGQUIT or --stop-signal) and --drain-delay, as 9s, 1m30s or plain seconds; then\nSIGKILL. Keep it a second below what the orchestrator waits: docker stop waits 10 s.\nA third stop signal kills at once. 0 waits for ever."
	case "stop-signal":
		return "The signal that the program gets for any stop request, when it is not the one that\narrived. The signal named here is a stop request itself too. Signals are given as 15,\nTERM, SIGTERM or RTMIN+1."
	case "group":
		return "Signals go to the program's whole process group instead of to the program only, for\nshells and others that do not pass signals on. On by itself behind npm and the like."
	case "rewrite":
		return "Forwards TO when FROM arrives, for example TERM:INT; 0 as TO drops it. Repeat it, or\nseparate by commas in the environment. SIGKILL, SIGSTOP, SIGURG, SIGPROF, SIGCHLD,\nSIGPIPE, SIGTTIN, SIGTTOU and 32 to 34 are not forwarded and cannot be FROM."
	case "remap-exit":
		return "Exits with TO (default 0) when the result would be CODE, for example 143 for a\nprogram that ends by SIGTERM. Repeat it, or separate by commas in the environment."
	case "subreaper":
		return "Accepted for tini's users. Where it is not PID 1, nodeinit becomes a child subreaper by\nitself, so that orphans come to it; --subreaper=false turns that off."
	case "pdeathsig":
		return "The signal that nodeinit gets when the process that started it dies. The kernel sends it\nonce for each thread of that process, so it counts as one stop signal however often it\ncomes."
	case "warn-on-reap":
		return "Logs each orphan reaped at warn instead of debug: a program that leaves many behind\nhas a bug."
	case "log-format":
		return "json: one object a line. text: for people. auto: text on a terminal, otherwise json."
	case "log-level":
		return "The least level of nodeinit's own lines: trace, debug, info, warn, error, or off."
	case "log-to":
		return "Where nodeinit's own lines go: stdout or stderr. The program's are left alone."
	case "verbose":
		return "-v logs each signal and orphan (debug), -vv also which file was started and what was\nadded to its environment (trace)."
	case "explain":
		return "nodeinit explain [flags] [--json] [--root DIR] [-- command]\n\nPrints the limits, the file that set each, and what would be started with which\nenvironment; starts nothing. --root reads /proc and /sys below DIR, to look at what\nsomebody else's container saw."
	case "pause":
		return "nodeinit pause\n\nRuns no program: reaps orphans until a stop signal comes, then exits with 0. For the\nfirst container of a pod that shares its PID namespace."
	case "version":
		return "nodeinit version\n\nPrints the version."
	case "help":
		return "nodeinit help [FLAG or SUBCOMMAND]"
	default:
		return workerTopic(name)
	}
}
