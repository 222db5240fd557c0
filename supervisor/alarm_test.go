package supervisor

import (
	"testing"
	"time"
)

// The alarm is set at each event, so that it leaves no garbage; it is that of the earliest
// deadline by then.
func TestAlarm(t *testing.T) {
	r := newRun(&Supervisor{})
	if r.alarm() != nil {
		t.Error("an alarm without a deadline")
	}
	hour := time.Now().Add(time.Hour)
	r.shutdown.deadline = hour
	slot := r.fleet.add()
	slot.current = &worker{deadline: hour, recycleAt: hour}
	if n := testing.AllocsPerRun(100, func() { r.alarm() }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	slot.current.deadline = time.Now()
	<-r.alarm()
	slot.current.deadline = time.Time{}
	select {
	case <-r.alarm():
		t.Error("an alarm that is over")
	default:
	}
}
