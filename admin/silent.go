package admin

import (
	"slices"
	"sync"
	"time"
)

// silentTime is how long a connection without a request is left alone in any case: clients
// send theirs at once.
const silentTime = 100 * time.Millisecond

// Silent are the connections whose request has not come, the oldest first. The zero value
// is ready to use.
type silent struct {
	mu   sync.Mutex
	list []silentConnection
}

type silentConnection struct {
	*connection
	since time.Time
}

func (l *silent) add(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, silentConnection{c, time.Now()})
}

// remove reports whether c was there: not if end has removed it.
func (l *silent) remove(c *connection) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := len(l.list)
	l.list = slices.DeleteFunc(l.list, func(s silentConnection) bool { return s.connection == c })
	return len(l.list) < before
}

// end has the oldest end, if it has been silent for long enough, and reports that.
func (l *silent) end() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) == 0 || time.Since(l.list[0].since) < silentTime {
		return false
	}
	l.list[0].endRead()
	l.list = slices.Delete(l.list, 0, 1)
	return true
}
