package signals_test

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
)

func Example() {
	var hup signals.Rewrite
	if err := hup.UnmarshalText([]byte("HUP:USR2")); err != nil {
		fmt.Println(err)
		return
	}
	stop, err := signals.Parse("int")
	if err != nil {
		fmt.Println(err)
		return
	}
	rules := signals.Rules{Rewrites: []signals.Rewrite{hup}, Stop: stop}
	for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGTERM, unix.SIGUSR1} {
		send, stop := rules.Apply(sig)
		fmt.Println(signals.Name(sig), "forwards", signals.Name(send), stop)
	}
	// Output:
	// SIGHUP forwards SIGUSR2 false
	// SIGTERM forwards SIGINT true
	// SIGUSR1 forwards SIGUSR1 false
}
