// Package operate is the suite of the bench that counts requests which fail while
// workers are replaced.
package operate

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const operateUsage = `Usage: bash bench/bench.sh operate [FLAG...]

Puts load on a contender with two workers, makes things happen to it meanwhile, and counts the
requests that failed. A row is a contender, an application, a Node, an event and a load:

  contender  nodeinit (rr, shared, reuseport, ip-hash), pm2 (pm2 reload), cluster (testdata/operate/rolling.js)
  app        bare, express, fastify (Node 20 and later), https, http2: none has shutdown code
  event      reload   20 rolling reloads; pm2 and cluster: as many as they manage in the time, at least 3
             recycle   5 workers replaced because of --max-age
             resize    5 times "docker update --cpus", 2 to 1 to 2; each takes 15 s or more
             stop      5 times "docker stop" of one of two replicas behind nginx, each with a new one after it
             all but reload: nodeinit only
  load       ka (keep-alive, 32 connections), new (a connection per request), post (as ka; stop only:
             nginx repeats a GET that a replica dropped, and no POST)

Without a list the rows are a selection, 88 of them in about 100 minutes: each balance with a bare
server on one Node, each Node and each application with rr, and the same reloads by pm2 and cluster.
With any of -node, -app, -balance, -contender and -event they are every combination of the lists; of a
list that is not given it is the first word, of -load-kind all. -quick is every combination there is,
with few events and 3 s each: 2 hours and more, because a resize takes its time. -list shows the rows.

A request that is never answered counts as one time-out, after 5 s, and its client asks no more.
The exit status is 1 if a request to nodeinit failed, and 130 after ^C.

`

// An operation is the suite "operate".
type operation struct {
	nodeinit, nodes, pm2, modules string // absolute paths
	more                          string // flags of nodeinit

	duration time.Duration // of each load, at least
	reloads  int
	tls      string // directory of the certificate
}

// errDropped is for the exit status: the table has said it all.
var errDropped = errors.New("requests to nodeinit failed")

// Run runs the suite with the arguments that follow its name.
func Run(args []string, stderr io.Writer) error {
	var o operation
	m := newMatrix()
	set := flag.NewFlagSet("bench operate", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() { fmt.Fprint(stderr, operateUsage); set.PrintDefaults() }
	set.StringVar(&o.nodeinit, "nodeinit", "bin/nodeinit", "the nodeinit to measure")
	set.StringVar(&o.nodes, "nodes", "", "the directory of Nodes, as test/nodes.sh makes it")
	set.StringVar(&o.pm2, "pm2", "", "the directory of the package pm2")
	set.StringVar(&o.modules, "modules", "", "node_modules of express and fastify, separated by colons")
	set.DurationVar(&o.duration, "duration", time.Minute, "how long each load goes on, at least; until all events have happened")
	set.IntVar(&o.reloads, "events", 20, "how many reloads; of the other events a quarter")
	set.StringVar(&o.more, "more", "", "more flags for nodeinit, say --no-agent to see what is lost without it")
	only := set.String("only", "", "only rows that match this regular expression")
	list := set.Bool("list", false, "print the rows and run none")
	m.flags(set)
	err := set.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if m.quick {
		o.shorten(set)
	}
	if m.only, err = regexp.Compile(*only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	cells, err := m.cells()
	if err != nil {
		return err
	}
	if *list {
		for _, c := range cells {
			fmt.Println(c)
		}
		return nil
	}
	return o.run(cells)
}

// shorten applies -quick to what no other flag sets.
func (o *operation) shorten(set *flag.FlagSet) {
	given := make(map[string]bool)
	set.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if !given["duration"] {
		o.duration = 3 * time.Second
	}
	if !given["events"] {
		o.reloads = 2
	}
}

// run makes a row of each cell and prints them.
func (o *operation) run(cells []cell) (err error) {
	runtime.LockOSThread() // see newNetwork; and a player dies with the thread that started it
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	for _, path := range []*string{&o.nodeinit, &o.nodes, &o.pm2} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if o.tls, err = makeCertificate(); err != nil {
		return err
	}
	defer os.RemoveAll(o.tls)
	if err := adoptOrphans(); err != nil {
		return err
	}
	if err := removeLeftovers(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeLeftovers(context.Background())) }()
	var all rows
	all.printHead()
	for i, c := range cells {
		fmt.Fprintf(os.Stderr, "bench: %s: row %d of %d\n", c, i+1, len(cells))
		r := o.row(ctx, c)
		if ctx.Err() != nil {
			break // what was interrupted is no row
		}
		all.add(r)
	}
	all.printSums()
	switch {
	case ctx.Err() != nil:
		return context.Canceled
	case all.dropped():
		return errDropped
	default:
		return nil
	}
}
