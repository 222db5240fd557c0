package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nodeinit/nodeinit/admin"
	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/supervisor"
)

// checkHealth has a supervisor ask workers for --health-path.
func (r *run) checkHealth(ctx context.Context, of *supervisor.Supervisor) {
	c := r.config
	if c.HealthPath.Path == "" {
		return
	}
	asker := r.asker("health")
	route := admin.Route{Port: c.HealthPath.Port, Path: c.HealthPath.Path}
	health := &of.Health
	health.Path, health.Interval, health.Failures = route.Path, time.Duration(c.HealthInterval), int(c.HealthFailures)
	health.Check = func(w supervisor.WorkerStatus, report func(error)) {
		go func() {
			err := supervisor.ErrNotAsked
			r.servers.Guard(func() { err = ask(ctx, health.Timeout(), asker, w, route) })
			report(err)
		}()
	}
}

// ask returns why a worker does not answer with a status of 2xx; nil: it does.
func ask(ctx context.Context, timeout time.Duration, asker *admin.Asker, w supervisor.WorkerStatus, route admin.Route) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer, err := asker.Get(ctx, w, route, "*/*", 0)
	switch {
	case errors.Is(err, cluster.ErrNoConnection):
		return fmt.Errorf("%w: %w", supervisor.ErrNotAsked, err)
	case err == nil && answer.Status/100 != 2:
		return errors.New("status " + strconv.Itoa(answer.Status))
	}
	return err
}
