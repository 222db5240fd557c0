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

// Of two requests to scale that are not taken yet the first one fails, but with the same
// number they are one.
func TestScaleAgain(t *testing.T) {
	t.Parallel()
	var s Supervisor
	first, second, third := s.Scale(2, false), s.Scale(3, false), s.Scale(3, false)
	if _, more := <-first.Events(); more || first.Failure() != anotherNumber {
		t.Errorf("the first one ends with %q", first.Failure())
	}
	select {
	case <-second.Events():
		t.Errorf("the second one ends with %q", second.Failure())
	default:
	}
	s.control.take().scale.by.done("done")
	for _, o := range []*Operation{second, third} {
		if _, more := <-o.Events(); more || o.Text() != "done" {
			t.Errorf("one ends with %q, %q", o.Text(), o.Failure())
		}
	}
}

// What was asked for and not taken by the end of Run is answered then, and what comes
// after it at once.
func TestControlEnds(t *testing.T) {
	t.Parallel()
	var s Supervisor
	s.control.begin()
	asked := []*Operation{s.Reload(), s.Scale(2, false)}
	reply, _ := s.control.askStatus()
	if other, _ := s.control.askStatus(); other != reply {
		t.Error("two that ask at once make two statuses")
	}
	s.control.end(&Status{State: "ended"})
	for _, o := range append(asked, s.Reload(), s.Scale(2, true)) {
		if _, more := <-o.Events(); more || o.Failure() != stopped {
			t.Errorf("ends with %q", o.Failure())
		}
	}
	<-reply.done
	if later, ok := s.Status(); !ok || later.State != "ended" || reply.status.State != "ended" {
		t.Errorf("%+v and %+v", reply.status, later)
	}
}
