package operate

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nodeinit/nodeinit/bench/server"
)

// FloodRole is the word that makes the bench the load of HTTP/2.
const FloodRole = "flood"

// streams is how many requests a client has under way at a time.
const streams = 2

// A flood is a load of HTTP/2 that counts what net/http would hide. Each request
// is a POST with a body: net/http repeats it only where the server has said that
// it did not process it (RFC 9113, 6.8 and 8.7), for which it asks GetBody.
type flood struct {
	url     string
	timeout time.Duration

	mu     sync.Mutex
	tally  tally
	errors map[string]int
}

// RunFlood loads the server until SIGINT and prints what came of it.
func RunFlood(kind, target string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	f := &flood{url: target, timeout: 10 * time.Second, errors: make(map[string]int)}
	f.run(ctx, kind, strings.Fields(os.Getenv("BENCH_ADDRS")))
	for text, n := range f.errors {
		fmt.Fprintf(os.Stderr, "%d times: %s\n", n, text)
	}
	return json.NewEncoder(os.Stdout).Encode(f.tally)
}

// run asks until ctx ends, and returns when all answers are there. Each client
// has the next of the addresses, if there are any.
func (f *flood) run(ctx context.Context, kind string, addrs []string) {
	var all sync.WaitGroup
	for i := range server.Clients / streams {
		addr := ""
		if len(addrs) > 0 {
			addr = addrs[i%len(addrs)]
		}
		shared := f.client(addr, kind == loadNew)
		for range streams {
			client := shared
			if kind == loadNew { // or the two would meet on a connection that is about to be closed
				client = f.client(addr, true)
			}
			all.Go(func() {
				for ctx.Err() == nil {
					f.count(f.ask(client))
				}
			})
		}
	}
	all.Wait()
}

// client returns a client with a connection of its own, to addr if it is given.
func (f *flood) client(addr string, perRequest bool) *http.Client {
	dialer := &net.Dialer{}
	dial := func(ctx context.Context, network, to string) (net.Conn, error) {
		f.mu.Lock()
		f.tally.Connections++
		f.mu.Unlock()
		if addr != "" {
			_, port, err := net.SplitHostPort(to)
			if err != nil {
				return nil, err
			}
			to = net.JoinHostPort(addr, port)
		}
		return dialer.DialContext(ctx, network, to)
	}
	return &http.Client{Transport: &http.Transport{
		DialContext:       dial,
		ForceAttemptHTTP2: true,
		DisableKeepAlives: perRequest,
		// The certificate was made for this run: which server answers does not matter.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
}

// ask makes one request.
func (f *flood) ask(client *http.Client) (status int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), f.timeout)
	defer cancel()
	const body = "hello"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url, io.NopCloser(strings.NewReader(body)))
	if err != nil {
		return 0, err
	}
	request.ContentLength = int64(len(body))
	request.GetBody = func() (io.ReadCloser, error) {
		f.mu.Lock()
		f.tally.Resent++
		f.mu.Unlock()
		return io.NopCloser(strings.NewReader(body)), nil
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.ProtoMajor != 2 {
		return 0, fmt.Errorf("answered with %s", response.Proto)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// count files the result of a request where wrk would.
func (f *flood) count(status int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var dial *net.OpError
	switch {
	case err == nil && status/100 == 2:
		f.tally.Requests++
	case err == nil:
		f.tally.Status++
		f.errors[http.StatusText(status)]++
	case errors.Is(err, context.DeadlineExceeded):
		f.tally.Timeout++
	case errors.As(err, &dial) && dial.Op == "dial":
		f.tally.Connect++
	default:
		f.tally.Read++
	}
	if err != nil {
		text := localPort.ReplaceAllString(err.Error(), "")
		if len(f.errors) < 10 || f.errors[text] > 0 {
			f.errors[text]++
		}
	}
}

// localPort is what tells the errors of two connections apart.
var localPort = regexp.MustCompile(`[\d.]+:\d+->`)
