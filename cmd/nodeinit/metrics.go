package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nodeinit/nodeinit/admin"
	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/supervisor"
)

// serveHTTP opens the port of --metrics, if that is set, and serves it until stop is
// called. Nothing was started so far: a container whose probes and metrics are missing
// would be worse than none.
func (r *run) serveHTTP(ctx context.Context) (stop func(), err error) {
	address := r.config.Metrics
	if address.Port == 0 {
		return func() {}, nil
	}
	server := &admin.HTTP{Shared: &r.servers, Gatherer: r.gatherer, Live: r.live}
	if route := r.config.MetricsApp; route.Path != "" {
		collector := &admin.Collector{Status: r.status, Asker: r.asker("metrics"), Route: admin.Route(route), Log: r.log}
		server.App = collector.Families
	}
	if err := server.Listen(address.IP, address.Port); err != nil {
		return nil, fmt.Errorf("%s: cannot listen at %v: %w (try another port, or off)", r.config.Source(&r.config.Metrics), address, err)
	}
	r.log.Info("serving metrics").Str("address", address.String()).Send()
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.servers.Guard(func() { server.Run(ctx) })
	}()
	return func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(controlTimeout):
		}
	}, nil
}

// asker returns what asks workers of the program over HTTP. They are told what for.
func (r *run) asker(purpose string) *admin.Asker {
	return &admin.Asker{
		Shared: &r.servers, UserAgent: "nodeinit/" + version + " (" + purpose + ")",
		Connect: func(w supervisor.WorkerStatus, port int) (fd int, err error) {
			return admin.ConnectTo(r.primary.Load(), w.ID, &w, port)
		},
	}
}

// live reports whether the goroutine that supervises does its work. Between two commands
// there is none.
func (r *run) live() bool {
	s := r.supervising.Load()
	if s == nil {
		return true
	}
	_, ok := s.Status()
	return ok
}

// status returns the state of the program; before it is started, that of none.
func (r *run) status() (supervisor.Status, bool) {
	s := r.ofProgram.Load()
	if s == nil {
		return supervisor.Status{}, true
	}
	return s.Status()
}

// newGatherer returns what makes the status document and metrics of the program.
func (r *run) newGatherer() *admin.Gatherer {
	return &admin.Gatherer{
		Facts: admin.Facts{
			Version: version, Started: r.started,
			Mode: string(r.plan.Mode), Argv: r.plan.Program.Argv, Control: string(r.config.Control),
			HandsOver: r.plan.Balance == string(cluster.RR),
			Limits:    r.statusLimits, Before: r.before, Stats: r.cgroup().Stats,
			Orphans: r.orphans.Load, Dropped: r.log.Dropped,
		},
		Status: r.status,
	}
}
