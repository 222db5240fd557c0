package supervisor

import (
	"slices"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/logs"
)

// A reportLog logs what is new in reports.
type reportLog struct {
	senders []string // whose lost messages were logged
}

// log logs what w has reported that it had not before.
func (l *reportLog) log(w *worker, before cluster.State) {
	log := w.env.Log
	for _, address := range w.reported.Listening {
		if !slices.Contains(before.Listening, address) {
			w.withWorker(log.Info(w.env.modeMsg("program listening", "worker listening"))).Str("address", logs.Truncate(address)).Send()
		}
	}
	if r := w.reported.Refused; r != before.Refused {
		w.withWorker(log.Warn("server refused")).Str("address", logs.Truncate(r.Where)).Str("error", r.Error).Str("try", r.Try).Send()
	}
	for _, sender := range w.reported.Senders {
		l.logSender(w, sender)
	}
	if w.reported.Fault != nil && before.Fault == nil {
		w.withWorker(log.Warn(w.env.modeMsg("program channel failed", "worker channel failed"))).
			Str("error", logs.Truncate(w.reported.Fault.Error())).Send()
	}
}

// instead returns what to do where sender, a library, wants to talk to a primary.
func instead(sender string) string {
	switch sender {
	case "log4js":
		return "log4js.configure({ disableClustering: true }): each worker writes its own lines"
	case "rate-limiter-flexible":
		return "RateLimiterMemory with a share of the points for each worker, or a shared store (RateLimiterRedis)"
	case "@socket.io/cluster-adapter":
		return "@socket.io/redis-adapter or another with a server of its own, with --balance ip-hash"
	case "@socket.io/sticky":
		return "--balance ip-hash, and no @socket.io/sticky"
	case "prom-client":
		return "the registry of each worker instead of AggregatorRegistry"
	case cluster.OtherSender:
		return "nodeinit is the primary and runs no code of the application: --pre, or --mode fork"
	default:
		return ""
	}
}

// logSender logs, once for each sender, that messages are lost. In one's own
// programs that may be intended.
func (l *reportLog) logSender(w *worker, sender string) {
	if slices.Contains(l.senders, sender) {
		return
	}
	l.senders = append(l.senders, sender)
	line := w.env.Log.Warn
	if sender == cluster.OtherSender {
		line = w.env.Log.Info
	}
	w.withWorker(line("message to a primary that is not there")).Str("from", sender).Str("use", instead(sender)).Send()
}
