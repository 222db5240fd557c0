package node

import (
	"net"
	"testing"
)

// An address is split and joined as package net does it.
func TestHostPort(t *testing.T) {
	t.Parallel()
	var addresses []string
	parts := []string{"", ":", "[", "]", "a", "::1", "[::1]", "9229"}
	for _, a := range parts {
		for _, b := range parts {
			for _, c := range parts {
				for _, d := range parts {
					addresses = append(addresses, a+b+c+d)
				}
			}
		}
	}
	for _, address := range addresses {
		host, port, ok := splitHostPort(address)
		wantHost, wantPort, err := net.SplitHostPort(address)
		if ok != (err == nil) || ok && (host != wantHost || port != wantPort) {
			t.Errorf("%q: host %q, port %q, %t; net has %q, %q, %v", address, host, port, ok, wantHost, wantPort, err)
		}
		if got, want := joinHostPort(host, "1"), net.JoinHostPort(host, "1"); ok && got != want {
			t.Errorf("%q: %q, net has %q", host, got, want)
		}
	}
}
