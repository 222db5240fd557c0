package cluster

import "testing"

// A heartbeat leaves no garbage but what decoding it takes and the copies of its lists.
func TestReportsLeaveNoGarbage(t *testing.T) {
	r := reports{signal: make(chan struct{}, 1)}
	state := State{Online: true}
	turn := func() {
		r.publish(1, state)
		r.publish(2, state)
		if list := r.take(); len(list) != 2 || list[0].ID != 1 || list[1].ID != 2 {
			t.Fatalf("%+v", list)
		}
		<-r.signal
	}
	turn() // twice, for both lists
	if n := testing.AllocsPerRun(100, turn); n > 0 {
		t.Errorf("%v allocations for two reports", n)
	}
}
