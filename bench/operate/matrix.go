package operate

import (
	"errors"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// What can happen during a load.
const (
	eventReload  = "reload"
	eventRecycle = "recycle"
	eventResize  = "resize"
	eventStop    = "stop"
)

const (
	byNodeinit = "nodeinit"
	byPM2      = "pm2"
	byCluster  = "cluster"
)

// A cell is what a row of the table is about.
type cell struct {
	contender, balance, app, node, event, load string
}

func (c cell) name() string { return strings.TrimSpace(c.contender + " " + c.balance) }

func (c cell) String() string {
	return strings.Join([]string{c.name(), c.app, c.node, c.event, c.load}, " ")
}

// possible returns whether there is such a row.
func (c cell) possible() bool {
	switch {
	case c.contender != byNodeinit && c.event != eventReload:
		return false
	case c.app == "fastify" && strings.HasPrefix(c.node, "18."): // needs 20
		return false
	case c.app == "http2" && c.event == eventStop: // nginx does not speak it to its upstreams
		return false
	case c.load == loadPost && (c.event != eventStop || c.app == "express" || c.app == "fastify"): // have no route for it
		return false
	default:
		return true
	}
}

// A matrix is the rows that the user wants.
type matrix struct {
	nodes, apps, balances, contenders, events, loads list
	quick                                            bool
	only                                             *regexp.Regexp
}

// A list is a flag: all that there are, the usual one first, and those wanted.
type list struct{ all, wanted []string }

func (l *list) String() string { return strings.Join(l.wanted, ",") }

func (l *list) Set(s string) error {
	for _, word := range strings.Split(s, ",") {
		switch {
		case word == "all":
			l.wanted = l.all
		case slices.Contains(l.all, word):
			l.wanted = append(l.wanted, word)
		default:
			return fmt.Errorf("%q is none of them (try %s or all)", word, strings.Join(l.all, ","))
		}
	}
	return nil
}

// or returns those wanted, else the usual one.
func (l *list) or() []string {
	if len(l.wanted) > 0 {
		return l.wanted
	}
	return l.all[:1]
}

func newMatrix() *matrix {
	return &matrix{
		nodes:      list{all: []string{"24.21.0", "18.20.8", "20.20.2", "22.23.3", "26.10.0"}},
		apps:       list{all: []string{"bare", "express", "fastify", "https", "http2"}},
		balances:   list{all: []string{"rr", "shared", "reuseport", "ip-hash"}},
		contenders: list{all: []string{byNodeinit, byPM2, byCluster}},
		events:     list{all: []string{eventReload, eventRecycle, eventResize, eventStop}},
		loads:      list{all: []string{loadKept, loadNew, loadPost}},
	}
}

func (m *matrix) flags(set *flag.FlagSet) {
	for name, l := range map[string]*list{
		"node": &m.nodes, "app": &m.apps, "balance": &m.balances, "contender": &m.contenders,
		"event": &m.events, "load-kind": &m.loads,
	} {
		set.Var(l, name, "list of "+strings.Join(l.all, ",")+" or all")
	}
	set.BoolVar(&m.quick, "quick", false, "every combination there is, for 3 s each")
}

// cells returns the rows in the order in which they are run.
func (m *matrix) cells() ([]cell, error) {
	if len(m.loads.wanted) == 0 {
		m.loads.wanted = m.loads.all
	}
	lists := []*list{&m.nodes, &m.apps, &m.balances, &m.contenders, &m.events}
	given := slices.ContainsFunc(lists, func(l *list) bool { return len(l.wanted) > 0 })
	var cells []cell
	switch {
	case m.quick:
		for _, l := range lists {
			if len(l.wanted) == 0 {
				l.wanted = l.all
			}
		}
		cells = m.combine(m.contenders.wanted, m.balances.wanted, m.apps.wanted, m.nodes.wanted, m.events.wanted)
	case given:
		cells = m.combine(m.contenders.or(), m.balances.or(), m.apps.or(), m.nodes.or(), m.events.or())
	default:
		cells = m.selection()
	}
	cells = slices.DeleteFunc(cells, func(c cell) bool { return !c.possible() || m.only != nil && !m.only.MatchString(c.String()) })
	if len(cells) == 0 {
		return nil, errors.New("the flags leave no row")
	}
	return cells, nil
}

func (m *matrix) combine(contenders, balances, apps, nodes, events []string) (cells []cell) {
	for _, event := range events {
		for _, contender := range contenders {
			balances := balances
			if contender != byNodeinit {
				balances = []string{""}
			}
			for _, balance := range balances {
				for _, app := range apps {
					for _, node := range nodes {
						for _, load := range m.loads.wanted {
							cells = append(cells, cell{contender, balance, app, node, event, load})
						}
					}
				}
			}
		}
	}
	return cells
}

// selection returns what shows each thing once: the balances, the Nodes and the
// applications vary one at a time.
func (m *matrix) selection() (cells []cell) {
	one := func(l list) []string { return l.all[:1] }
	rest := func(l list) []string { return l.all[1:] }
	own, others := one(m.contenders), rest(m.contenders)
	every := slices.DeleteFunc(slices.Clone(m.events.all), func(e string) bool { return e == eventStop })
	return slices.Concat(
		m.combine(own, m.balances.all, one(m.apps), one(m.nodes), every),
		m.combine(own, one(m.balances), one(m.apps), rest(m.nodes), one(m.events)),
		m.combine(own, one(m.balances), rest(m.apps), one(m.nodes), one(m.events)),
		m.combine(own, m.balances.all, one(m.apps), one(m.nodes), []string{eventStop}),
		m.combine(others, nil, one(m.apps), m.nodes.all, one(m.events)),
		m.combine(others, nil, rest(m.apps), one(m.nodes), one(m.events)),
	)
}
