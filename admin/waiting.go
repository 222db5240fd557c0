package admin

import (
	"slices"
	"sync"
	"time"
)

// waitingTime is how long a connection that waits for its client is left alone in any case:
// clients send their requests at once.
const waitingTime = 100 * time.Millisecond

// Waiting are the connections whose client has not sent its request, or does not take the
// answer, the oldest first. The zero value is ready to use.
type waiting struct {
	mu   sync.Mutex
	list []waitingConnection
}

type waitingConnection struct {
	*connection
	since time.Time
}

func (l *waiting) add(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, waitingConnection{c, time.Now()})
}

// remove reports whether c was there: not if end has removed it.
func (l *waiting) remove(c *connection) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := len(l.list)
	l.list = slices.DeleteFunc(l.list, func(s waitingConnection) bool { return s.connection == c })
	return len(l.list) < before
}

// end has the oldest end, if it has waited for long enough, and reports that.
func (l *waiting) end() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) == 0 || time.Since(l.list[0].since) < waitingTime {
		return false
	}
	l.list[0].endWait()
	l.list = slices.Delete(l.list, 0, 1)
	return true
}
