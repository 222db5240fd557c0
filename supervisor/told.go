package supervisor

import (
	"slices"
	"time"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/logs"
)

// changed takes note of what a worker has told.
func (s *Supervisor) changed(r cluster.Report) {
	lives := s.lives()
	i := slices.IndexFunc(lives, func(l *life) bool { return r.ID != 0 && l.worker.ID == r.ID })
	if i < 0 {
		return // it has ended meanwhile
	}
	l := lives[i]
	before := l.told
	l.told = r.State
	l.worker.onReport(r.State)
	s.logTold(l, before)
	s.asksToServe(l)
	switch l.state {
	case starting:
		switch {
		case s.channelEnded(l):
		case s.isReady(l):
			s.nowReady(l)
		default:
			s.waitInPart(l)
		}
	case working:
		s.channelEnded(l)
	case finishing:
		if l.told.Finished || l.told.Ended {
			s.endFinish(l)
		}
	case draining:
		if l.told.Ended {
			s.endDrain(l)
		}
	case asked:
		s.disconnectIfIdle(l)
		s.drainLate(l)
	case closed, hung, dying: // no more is to be expected of it
	default:
		s.unknownState(int(l.state))
	}
}

func (s *Supervisor) logTold(l *life, before cluster.State) {
	for _, address := range l.told.Listening {
		if !slices.Contains(before.Listening, address) {
			s.about(s.Log.Info(s.called("program listening", "worker listening")), l).Str("address", logs.Truncate(address)).Send()
		}
	}
	if r := l.told.Refused; r != before.Refused {
		s.about(s.Log.Warn("server refused"), l).Str("address", logs.Truncate(r.Where)).Str("error", r.Error).Str("try", r.Try).Send()
	}
	for _, sender := range l.told.Senders {
		s.logSender(l, sender)
	}
	if l.told.Fault != nil && before.Fault == nil {
		s.about(s.Log.Warn(s.called("program channel failed", "worker channel failed")), l).Str("error", logs.Truncate(l.told.Fault.Error())).Send()
	}
}

// instead is what to do where a library wants to talk to a primary.
var instead = map[string]string{
	"log4js":                     "log4js.configure({ disableClustering: true }): each worker writes its own lines",
	"rate-limiter-flexible":      "RateLimiterMemory with a share of the points for each worker, or a shared store (RateLimiterRedis)",
	"@socket.io/cluster-adapter": "@socket.io/redis-adapter or another with a server of its own, with --balance ip-hash",
	"@socket.io/sticky":          "--balance ip-hash, and no @socket.io/sticky",
	"prom-client":                "the registry of each worker instead of AggregatorRegistry",
	cluster.OtherSender:          "nodeinit is the primary and runs no code of the application: --pre, or --mode fork",
}

// logSender tells, once in the life of the container, that messages are lost. In
// one's own programs that may be as meant.
func (s *Supervisor) logSender(l *life, sender string) {
	if slices.Contains(s.senders, sender) {
		return
	}
	s.senders = append(s.senders, sender)
	line := s.Log.Warn
	if sender == cluster.OtherSender {
		line = s.Log.Info
	}
	s.about(line("message to a primary that is not there"), l).Str("from", sender).Str("use", instead[sender]).Send()
}

// channelEnded looks whether a worker, who needs its channel to serve, has none
// any more, and it had not said that it would leave. In fork mode only the agent
// has one.
func (s *Supervisor) channelEnded(l *life) bool {
	switch {
	case !s.PerCore:
		return false
	case l.told.Fault != nil:
		s.kill(l, ChannelFault)
		return true
	case l.told.Ended && !l.told.Leaving: // if it has just exited, that is the next event
		l.state, l.deadline = closed, time.Now().Add(s.leastGrace())
		return true
	}
	return false
}
