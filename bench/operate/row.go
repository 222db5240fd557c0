package operate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nodeinit/nodeinit/bench/server"
	"github.com/nodeinit/nodeinit/internal/testproc"
)

// A scene is a contender that serves on port 8080 of the calling thread's
// network, and what can happen to it.
type scene struct {
	players   []*player // the contender, then what runs beside it
	events    int       // how many there are to be
	minEvents int       // so many there have to be, however long it takes
	happen    func(ctx context.Context, i int) error
	notes     func() []string
	closings  []func() error // last first
}

func (s *scene) add(p *player) { s.players = append(s.players, p) }

func (s *scene) later(closing func() error) { s.closings = append(s.closings, closing) }

// end ends all that runs.
func (s *scene) end() error {
	var errs []error
	for _, closing := range slices.Backward(s.closings) {
		errs = append(errs, closing())
	}
	return errors.Join(append(errs, endPlayers(s.players))...)
}

// row makes a row, and tells on stderr what there is to tell of failures.
func (o *operation) row(ctx context.Context, c cell) row {
	r := row{cell: c}
	s := &scene{}
	said, err := o.perform(ctx, s, &r)
	r.err = errors.Join(err, s.end())
	if s.notes != nil {
		r.notes = append(r.notes, s.notes()...)
	}
	if c.app == "http2" {
		r.notes = append(r.notes, fmt.Sprintf("%d connections, %d requests sent again", r.Connections, r.Resent))
	}
	if r.bad() && ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "bench: %s: %d failed after %d of %d events\n", c, r.failed(), r.events, s.events)
		if r.err != nil {
			fmt.Fprintf(os.Stderr, "%v\n", r.err)
		}
		fmt.Fprintf(os.Stderr, "%s\n", said)
		for _, p := range s.players {
			fmt.Fprintf(os.Stderr, "last lines of %s:\n%s\n", p.name, p.last(30))
		}
	}
	return r
}

// perform sets the scene, loads it and lets the events happen. It returns what
// the load said.
func (o *operation) perform(ctx context.Context, s *scene, r *row) (said string, err error) {
	if err := o.set(ctx, s, r.cell); err != nil {
		return "", fmt.Errorf("start: %w", err)
	}
	scheme := "http"
	if r.event != eventStop && (r.app == "https" || r.app == "http2") {
		scheme = "https"
	}
	w, err := startWave(r.load, fmt.Sprintf("%s://127.0.0.1:%d/", scheme, server.Port), r.app == "http2", r.addrs())
	if err != nil {
		return "", err
	}
	err = o.drive(ctx, s, r)
	if err != nil && ctx.Err() != nil {
		return "", errors.Join(err, w.kill())
	}
	t, waveErr := w.stop(r.last)
	r.tally = t
	return w.said(), errors.Join(err, waveErr)
}

// addrs are the addresses that the load uses. With ip-hash there are so many
// that surely each worker gets some.
func (c cell) addrs() (addrs []string) {
	if c.balance != "ip-hash" {
		return nil
	}
	for i := range 16 {
		from := server.Source(i)
		addrs = append(addrs, fmt.Sprintf("%d.%d.%d.%d", from[0], from[1], from[2], from[3]))
	}
	return addrs
}

// drive lets the events happen, spread evenly over the duration or, where they
// take longer, one after the other.
func (o *operation) drive(ctx context.Context, s *scene, r *row) error {
	began := time.Now()
	for i := range s.events {
		share := o.duration * time.Duration(2*i+1) / time.Duration(2*s.events)
		if err := pause(ctx, time.Until(began.Add(share))); err != nil {
			return err
		}
		if i >= s.minEvents && time.Since(began) > o.duration {
			break
		}
		limited, cancel := context.WithTimeoutCause(ctx, testproc.HangLimit, fmt.Errorf("not within %v", testproc.HangLimit))
		err := s.happen(limited, i)
		cancel()
		if err != nil {
			return fmt.Errorf("%s %d: %w", r.event, i+1, err)
		}
		r.events++
		r.last = time.Now()
	}
	return pause(ctx, time.Until(began.Add(o.duration)))
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// script is where an application is.
func (c cell) script() (string, error) {
	return filepath.Abs("bench/testdata/operate/" + c.app + ".js")
}

// environment is what every contender gets.
func (o *operation) environment() []string {
	return []string{
		fmt.Sprintf("PORT=%d", server.Port), "NODE_PATH=" + o.modules,
		"TLS_KEY=" + filepath.Join(o.tls, "key.pem"), "TLS_CERT=" + filepath.Join(o.tls, "cert.pem"),
		"NODEINIT_LOG_FORMAT=json",
	}
}

func (o *operation) node(c cell) string { return filepath.Join(o.nodes, c.node, "bin/node") }

// ours is the command line of nodeinit with a cell's application.
func (o *operation) ours(c cell, script, flags string) []string {
	argv := []string{o.nodeinit, "--mode", "per-core", "--balance", c.balance}
	return slices.Concat(argv, strings.Fields(flags+" "+o.more), []string{"--", o.node(c), script})
}
