package main

// workerTopic returns the long text about a flag that has to do with the life of
// workers, "" for any other.
func workerTopic(name string) string {
	switch name {
	case "max-crashes":
		return "per-core: how many crashed workers are replaced within --crash-window, after 100 ms,\n200 ms and so on up to 15 s. One more, and the container ends with that worker's status.\n0: it ends at the first crash, for the orchestrator to see. A worker that served and exits\nwith 0, while others go on, is replaced and counted too."
	case "crash-window":
		return "per-core: within which time crashes are counted for --max-crashes. The container ends too\nif no worker in the place of one that crashed was of use for so long, 10 s at least.\n0: all are counted."
	case "ready":
		return "When a worker counts as ready. listen: with its first listen; one that replaces another\nwhen it listens on all that this one has open. message: when it has called\nprocess.send('ready'). none: once it is started. Who is not ready within --ready-timeout\nis killed, and that is a crash, but one that listens on a part counts as ready then.\nNot given, it is listen for those that listen: one that has opened no server by then\ntakes jobs from a queue or the like, and counts as ready."
	case "ready-timeout":
		return "How long a worker may take to be ready, see help ready. 0: for ever."
	case "drain-delay":
		return "After the first stop signal the program serves on for so long before it is asked to stop,\nso that a load balancer can take it out first. A second stop signal ends the wait. --grace\nbegins after it: docker stop --time must be above both together."
	case "stop-order":
		return "What a worker is told first when it is to stop. signal: the stop signal. drain: to finish\nwhat it has; the signal comes when it has done so, or shortly before the grace ends.\nauto: drain, but an application that handles the signal gets it when it has no request in\nhand, after 3 s at most. At a reload: drain."
	case "reload-signal":
		return "This signal is not forwarded: it replaces the workers one by one, each when the new one is\nready, and drops no request. SIGHUP is usual. If a new worker does not get ready, the old\none stays and the reload ends. One process (--mode fork) cannot be reloaded."
	case "max-memory":
		return "per-core: a worker whose resident memory is above in three looks, 5 s apart, is replaced\nas in a reload. SIZE, or P% of the memory limit divided by the workers: 80%. off: never.\nIf the new one has as much within a minute, that is told and put up with for 10 minutes."
	case "max-age":
		return "per-core: a worker is replaced, as in a reload, at an age from 90 % to 110 % of this, so\nthat they do not all come to it at once. 0: never."
	case "hang-timeout":
		return "A worker whose event loop has not turned for so long is named in the log, gets SIGABRT and\n5 s later SIGKILL, and has crashed. At least 3s, because workers report once a second;\nlonger than the longest computation. 0: never. It needs the agent (help no-agent)."
	case "resize":
		return "per-core with --workers auto: when the limits of the container change (docker update, an\nin-place resize of a pod) and stay so for 10 s, workers are started or drained to fit.\nNew workers get a heap for the new limits in any case. --no-resize, or\nNODEINIT_RESIZE=off, keeps the number. One process stays one."
	case "no-agent":
		return "nodeinit puts some 450 lines of JavaScript into Node through NODE_OPTIONS\n(--import=data:), which drain a server that has no shutdown code, and report the event\nloop. This leaves them out: a worker without a handler for the stop signal then drops\nwhat it has in hand. Such a program is one process unless --mode per-core."
	default:
		return ""
	}
}
