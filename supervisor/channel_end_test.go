package supervisor_test

import (
	"fmt"
	"time"
)

// A channelEnd is a fake Channel of a program, and what it was asked by that.
type channelEnd struct {
	program            *program
	keepAlivesDisabled int  // so often it was asked to disable keep-alives
	connectionsStopped int  // and to get no new ones
	replaced           bool // the last time because another one gets them
	paused             bool // it gets no new ones for now
	channelReleased    bool
}

// Message is one of those that it has no use for.
func (c *channelEnd) Message(string) {}

func (c *channelEnd) Drain(string) { c.leave("drain") }

// Finish has the program say after what its script says that it has finished.
func (c *channelEnd) Finish(limit time.Duration) {
	p := c.program
	p.record(func() {
		c.keepAlivesDisabled++
		p.world.note(event{to: p.name, did: fmt.Sprintf("finish %v", limit)})
		if p.finishes != nil {
			time.AfterFunc(*p.finishes, func() { reportOf("finished")(p) })
		}
	})
}

// Watch has the program say after soon or late, as its script says, that it serves on.
func (c *channelEnd) Watch(_ string, soon, late time.Duration) {
	p := c.program
	p.record(func() {
		p.world.note(event{to: p.name, did: fmt.Sprintf("watch %v %v", soon, late)})
		after := map[string]time.Duration{"soon": soon, "late": late}[p.servesOn]
		if after > 0 {
			time.AfterFunc(after, func() { reportOf("serving")(p) })
		}
	})
}

func (c *channelEnd) Disconnect() { c.leave("disconnect") }

func (c *channelEnd) DisableKeepAlives() { c.program.record(func() { c.keepAlivesDisabled++ }) }

func (c *channelEnd) StopConnections(replaced bool) {
	c.program.record(func() { c.connectionsStopped, c.replaced = c.connectionsStopped+1, replaced })
}

func (c *channelEnd) Pause(paused bool) {
	c.program.record(func() {
		c.paused = paused
		c.program.world.note(event{to: c.program.name, did: map[bool]string{true: "pause", false: "unpause"}[paused]})
	})
}

// leave notes how the program is asked to, and has it do as its script says.
func (c *channelEnd) leave(how string) {
	p := c.program
	p.record(func() {
		p.world.note(event{to: p.name, did: how})
		if p.leaves != nil {
			time.AfterFunc(*p.leaves, func() { reportOf("hangsup")(p) })
		}
		if p.drained != nil {
			time.AfterFunc(p.drained.after, func() { p.end(p.drained.status) })
		}
	})
}

// Handovers is the same for each.
func (c *channelEnd) Handovers() int64 { return 7 }

// Release gives up the channel, once.
func (c *channelEnd) Release(bool) {
	world := c.program.world
	world.mu.Lock()
	defer world.mu.Unlock()
	c.channelReleased = !c.channelReleased
}
