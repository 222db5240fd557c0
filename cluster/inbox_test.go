package cluster

import (
	"errors"
	"slices"
	"testing"
)

func TestInbox(t *testing.T) {
	t.Parallel()
	var got []int
	wakes := 0
	b := inbox{wake: func() { wakes++ }}
	add := func(n int) { b.post(func() { got = append(got, n) }) }
	add(1)
	b.post(func() { add(3) })
	add(2)
	if len(got) > 0 || wakes != 3 {
		t.Errorf("called %v before run, woken %d times", got, wakes)
	}
	b.run()
	if want := []int{1, 2}; !slices.Equal(got, want) {
		t.Errorf("called %v, want %v: what is posted meanwhile is for the next run", got, want)
	}
	b.close()
	add(4)
	b.run()
	if want := []int{1, 2, 3}; !slices.Equal(got, want) || wakes != 4 {
		t.Errorf("called %v, want %v, woken %d times", got, want, wakes)
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	r := reports{signal: make(chan struct{}, 1)}
	state := State{Listening: []string{"a"}}
	r.publish(1, state)
	state.Listening[0] = "b" // not in what was published
	r.publish(2, State{Servers: 2})
	r.publish(1, State{Listening: []string{"c"}, Fault: errors.ErrUnsupported})
	<-r.signal
	list := r.take()
	if len(list) != 2 || list[0].ID != 1 || list[0].State.Listening[0] != "c" || list[1].ID != 2 || list[1].State.Servers != 2 {
		t.Errorf("%+v", list)
	}
	if again := r.take(); len(again) > 0 {
		t.Errorf("%+v again", again)
	}
	r.publish(1, state)
	<-r.signal
	if list := r.take(); len(list) != 1 || list[0].State.Listening[0] != "b" {
		t.Errorf("%+v", list)
	}
}
