package main

import (
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/admin"
	"github.com/nodeinit/nodeinit/config"
)

const profileHelp = `nodeinit profile cpu|heap|alloc [--seconds N] [--worker N] [--force] [--pid N]

Writes a profile of a worker to stdout, for Chrome's DevTools:
docker exec CONTAINER /nodeinit profile cpu > app.cpuprofile
  cpu    where it spends its time (.cpuprofile)
  heap   what is in its heap (.heapsnapshot); its event loop stands still meanwhile,
         and it needs up to 20 times the memory of the heap: where the limit of the
         container may not allow that, it is refused without --force
  alloc  where it allocates memory (.heapprofile)
--seconds: of cpu and alloc, 0.1 to 3600; 10 if not given.
--worker: which one, as in status; if not given, the busiest.
--pid: of which nodeinit, where several run.
Exits with 1 if what it wrote is not complete. There is one profile at a time;
interrupting this ends it.`

const nodeReportHelp = `nodeinit report [--worker N] [--pid N]

Writes Node's diagnostic report of a worker to stdout, as JSON, without environment
variables: docker exec CONTAINER /nodeinit report > report.json
--worker: which one, as in status; if not given, the busiest.
--pid: of which nodeinit, where several run.`

// defaultSeconds is how long a profile is if nobody says.
const defaultSeconds = "10"

// profile writes a profile of a worker to stdout.
func profile(a *app, args []string) int {
	var p admin.Profile
	var seconds, worker *string
	own := func(set *pflag.FlagSet) {
		clientFlags(a, set)
		seconds, worker = set.String("seconds", "", ""), set.String("worker", "", "")
		set.BoolVar(&p.Force, "force", p.Force, "")
	}
	rest, code, ok := a.parse("profile", args, own)
	if ok && len(rest) > 1 { // flags may come after the kind too
		before := args[:len(args)-len(rest)]
		rest, code, ok = a.parse("profile", slices.Concat(before, rest[1:], rest[:1]), own)
	}
	if !ok {
		return code
	}
	if len(rest) != 1 || rest[0] != "cpu" && rest[0] != "heap" && rest[0] != "alloc" {
		return a.usageError(errors.New("profile: say cpu, heap or alloc (try nodeinit profile cpu > app.cpuprofile)"))
	}
	p.Kind = rest[0]
	if err := setSeconds(&p, *seconds); err != nil {
		return a.usageError(err)
	}
	return take(a, p, "profile", *worker, "app."+extensionOf(p.Kind))
}

// nodeReport writes Node's report of a worker to stdout.
func nodeReport(a *app, args []string) int {
	var worker *string
	rest, code, ok := a.parse("report", args, func(set *pflag.FlagSet) {
		clientFlags(a, set)
		worker = set.String("worker", "", "")
	})
	if !ok {
		return code
	}
	if err := noArguments("report", rest); err != nil {
		return a.usageError(err)
	}
	return take(a, admin.Profile{Kind: "report"}, "report", *worker, "report.json")
}

func extensionOf(kind string) string {
	switch kind {
	case "cpu":
		return "cpuprofile"
	case "heap":
		return "heapsnapshot"
	}
	return "heapprofile"
}

// setSeconds sets how long p takes, if it is of a kind that takes a time.
func setSeconds(p *admin.Profile, text string) error {
	switch {
	case !p.Timed() && text != "":
		return errors.New("profile: --seconds is for cpu and alloc (leave it out)")
	case !p.Timed():
		return nil
	case text == "":
		text = defaultSeconds
	}
	var d config.Duration
	if err := d.UnmarshalText([]byte(text)); err != nil {
		return fmt.Errorf("profile: --seconds: %w", err)
	}
	p.Seconds = time.Duration(d).Seconds()
	if p.Seconds < admin.MinSeconds || p.Seconds > admin.MaxSeconds {
		return fmt.Errorf("profile: --seconds: %q is not from 0.1 to 3600 (try 10)", text)
	}
	return nil
}

// take has a worker, by its number or if that is "" the busiest, write what p asks for to
// stdout, which is for a file with such a name.
func take(a *app, p admin.Profile, name, worker, file string) int {
	signal.Reset() // with a flag before the subcommand main has caught them all
	if isTerminal(unix.Stdout) {
		return a.usageError(errors.New(name + ": stdout is a terminal (redirect it: > " + file + ")"))
	}
	var err error
	if worker != "" {
		if p.Worker, err = strconv.Atoi(worker); err != nil || p.Worker < 0 {
			return a.usageError(fmt.Errorf("%s: --worker: %q is not the number of a worker (see nodeinit status)", name, worker))
		}
	}
	client, err := dial(a)
	if err == nil && worker == "" {
		p.Worker, err = findBusiest(client)
	}
	if err == nil {
		why := ""
		if worker == "" {
			why = ", the busiest"
		}
		out := &progress{to: a.stdout, takes: time.Duration(p.Seconds * float64(time.Second))}
		err = client.Profile(p, func(e admin.Event) {
			switch {
			case e.Step != admin.StepBegun:
				fmt.Fprintf(a.stderr, "nodeinit: %s of worker %d (pid %d)%s\n", name, e.Slot, e.PID, why)
			case isTerminal(unix.Stderr):
				out.show(a.stderr)
			}
		}, out)
		out.end()
	}
	if err != nil {
		a.printError(fmt.Errorf("%s: %w", name, err))
		return exitFailed
	}
	return 0
}

// findBusiest returns the slot of the busiest worker.
func findBusiest(client *admin.Client) (slot int, err error) {
	d, err := client.Status()
	if err != nil {
		return 0, err
	}
	return busiest(d.Workers), nil
}

// busiest returns the slot of the worker whose event loop is the busiest, and among equals
// that which uses the most CPU time. Those of which that is not known come last.
func busiest(workers []admin.Worker) (slot int) {
	best := [2]float64{-2, -2}
	for _, w := range workers {
		if w.PID == 0 {
			continue
		}
		if now := [2]float64{valueOf(w.Utilization), valueOf(w.CPU)}; now[0] > best[0] || now[0] == best[0] && now[1] > best[1] {
			best, slot = now, w.Slot
		}
	}
	return slot
}

func valueOf(f *float64) float64 {
	if f == nil {
		return -1
	}
	return *f
}
