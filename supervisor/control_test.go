package supervisor

import "testing"

// However many requests are made, there is one of each kind, the latest.
func TestControl(t *testing.T) {
	t.Parallel()
	var s Supervisor
	for n := range 5 {
		s.Scale(n, false)
		s.Reload()
	}
	<-s.control.requested()
	taken := s.control.take()
	if len(taken.reload) != 5 || taken.scale == nil || taken.scale.workers != 4 {
		t.Errorf("%+v", taken)
	}
	select {
	case <-s.control.requested():
		t.Error("woken twice")
	default:
	}
	if taken = s.control.take(); taken.reload != nil || taken.scale != nil {
		t.Errorf("taken twice: %+v", taken)
	}
}
