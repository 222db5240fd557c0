package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// An Address is where nodeinit listens: a TCP port at one address of this host, or, with
// the zero IP, at all. The zero value is nowhere.
type Address struct {
	IP   netip.Addr
	Port int
}

// UnmarshalText reads off, PORT, :PORT, IP:PORT, [IPv6]:PORT or localhost:PORT, which is
// 127.0.0.1. No other name is resolved: an address that changes would be no use here.
func (a *Address) UnmarshalText(b []byte) error {
	text := string(b)
	if text == "off" {
		*a = Address{}
		return nil
	}
	host, port := "", text
	if at := strings.LastIndexByte(text, ':'); at >= 0 {
		host, port = text[:at], text[at+1:]
	}
	n, ok := parsePort(port)
	if host == "localhost" {
		host = "127.0.0.1"
	}
	var ip netip.Addr
	if ok && host != "" {
		inner, bracketed := strings.CutPrefix(host, "[")
		inner, closed := strings.CutSuffix(inner, "]")
		var err error
		ip, err = netip.ParseAddr(inner)
		ok = err == nil && bracketed == closed && bracketed == ip.Is6() && ip.Zone() == ""
	}
	if !ok {
		return fmt.Errorf("%q is neither off nor PORT nor IP:PORT (try 9464, or 127.0.0.1:9464)", b)
	}
	*a = Address{ip, n}
	return nil
}

func (a Address) String() string {
	switch {
	case a.Port == 0:
		return "off"
	case a.IP.Is6():
		return "[" + a.IP.String() + "]:" + strconv.Itoa(a.Port)
	case a.IP.IsValid():
		return a.IP.String() + ":" + strconv.Itoa(a.Port)
	default:
		return ":" + strconv.Itoa(a.Port)
	}
}

// A Route is a path of an HTTP server of the program, on 127.0.0.1. Port 0 is the first
// TCP port that the program listens on. The zero value is none.
type Route struct {
	Port int
	Path string // with its query
}

// maxPath is in bytes, with the query.
const maxPath = 1024

// UnmarshalText reads [PORT]/PATH, or off. The path is sent as it is: nothing in it may end
// the line of a request.
func (r *Route) UnmarshalText(b []byte) error {
	text := string(b)
	if text == "off" {
		*r = Route{}
		return nil
	}
	const try = "(try /path, or 9100/path)"
	at := max(0, strings.IndexByte(text, '/'))
	port, ok := 0, true
	if at > 0 {
		port, ok = parsePort(text[:at])
	}
	path := text[at:]
	switch {
	case !ok, path == "" || path[0] != '/':
		return fmt.Errorf("%q is not [PORT]/PATH %s", b, try)
	case len(path) > maxPath:
		return fmt.Errorf("%q is longer than %d bytes %s", b, maxPath, try)
	}
	for i := range len(path) {
		if path[i] <= ' ' || path[i] >= 0x7f || path[i] == '#' {
			return fmt.Errorf("%q has a byte that no path of a URL can have: write it as %%XX %s", b, try)
		}
	}
	*r = Route{port, path}
	return nil
}

func (r Route) String() string {
	switch {
	case r.Path == "":
		return "off"
	case r.Port == 0:
		return r.Path
	default:
		return strconv.Itoa(r.Port) + r.Path
	}
}

// parsePort reads digits only: Atoi takes a sign too.
func parsePort(text string) (port int, ok bool) {
	n, err := strconv.ParseUint(text, 10, 16)
	return int(n), err == nil && n > 0
}
