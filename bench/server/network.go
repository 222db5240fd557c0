// Package server has what all suites need of the server under measurement: a
// network for it, connections to it, and its processes.
package server

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Port is where the server under measurement listens.
const Port = 8080

// Sources is how many addresses a network has besides 127.0.0.1, from 127.0.1.1.
const Sources = 64

// Clients is how many connections a load has.
const Clients = 32

// Source returns the i-th of these addresses, from 0.
func Source(i int) [4]byte { return [4]byte{127, 0, 1, byte(i + 1)} }

// NewNetwork moves the calling thread, and what it starts from now on, to an
// empty network of its own. So no contender finds the connections in TIME_WAIT
// of the one before it, which would use up the local ports, and the host's
// settings stay as they are. The goroutine must be locked to its thread.
func NewNetwork() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("%w (the bench needs root)", os.NewSyscallError("unshare", err))
	}
	return PrepareNetwork()
}

// PrepareNetwork gives the network of the calling thread its addresses.
func PrepareNetwork() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	if err := loopbackUp(fd); err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	for i := range Sources {
		if err := addAddress(fd, i); err != nil {
			return fmt.Errorf("give lo address %d: %w", i, err)
		}
	}
	// One run makes more connections than there are ports by default.
	return os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("1024 65535"), 0)
}

func loopbackUp(fd int) error {
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

// addAddress gives lo the i-th source address. Its mask is that of one host: then
// connections to the address come from it as well, and not from 127.0.0.1.
func addAddress(fd, i int) error {
	alias, err := unix.NewIfreq(fmt.Sprintf("lo:%d", i))
	if err != nil {
		return err
	}
	addr := Source(i)
	mask := [4]byte{255, 255, 255, 255}
	return errors.Join(
		alias.SetInet4Addr(addr[:]),
		unix.IoctlIfreq(fd, unix.SIOCSIFADDR, alias),
		alias.SetInet4Addr(mask[:]),
		unix.IoctlIfreq(fd, unix.SIOCSIFNETMASK, alias))
}
