package cluster

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// A client asks a server which worker it reaches. Asking again is a connection,
// or a datagram, of its own; those with other numbers come from other
// addresses, where there are more.
type client func(number int) (slot int, err error)

// dialer is a client's end: of address 127.0.0.2 and so on, where it can be.
func dialer(network, address string, number int) *net.Dialer {
	d := &net.Dialer{Timeout: testproc.HangLimit}
	if !strings.HasPrefix(address, "127.") {
		return d
	}
	source := net.IPv4(127, 0, byte(number>>8), byte(2+number%250))
	if strings.HasPrefix(network, "udp") {
		d.LocalAddr = &net.UDPAddr{IP: source}
	} else {
		d.LocalAddr = &net.TCPAddr{IP: source}
	}
	return d
}

// greeted connects, and returns the connection with the slot it has reached.
func greeted(network, address string, number int) (net.Conn, int, error) {
	conn, err := dialer(network, address, number).Dial(network, address)
	if err != nil {
		return nil, 0, err
	}
	if strings.HasPrefix(network, "udp") {
		if _, err := conn.Write([]byte("who?\n")); err != nil {
			conn.Close()
			return nil, 0, err
		}
	}
	_ = conn.SetReadDeadline(time.Now().Add(testproc.HangLimit))
	slot, err := readSlot(conn)
	if err != nil {
		conn.Close()
		return nil, 0, err
	}
	return conn, slot, nil
}

func readSlot(from io.Reader) (int, error) {
	line, err := bufio.NewReader(from).ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("read %q: %w", line, err)
	}
	return strconv.Atoi(strings.TrimSpace(line))
}

// plain is a client of the servers that are called net, and of UDP.
func plain(network, address string) client {
	return func(number int) (int, error) {
		conn, slot, err := greeted(network, address, number)
		if err == nil {
			conn.Close()
		}
		return slot, err
	}
}

// web is a client of the HTTP servers.
func web(url string, transport *http.Transport) client {
	address := strings.TrimPrefix(strings.TrimPrefix(url, "http://"), "https://")
	return func(number int) (int, error) {
		own := transport.Clone()
		defer own.CloseIdleConnections()
		own.DialContext = func(ctx context.Context, network, to string) (net.Conn, error) {
			return dialer(network, address, number).DialContext(ctx, network, to)
		}
		c := http.Client{Transport: own, Timeout: testproc.HangLimit}
		response, err := c.Get(url)
		if err != nil {
			return 0, err
		}
		defer response.Body.Close()
		return readSlot(response.Body)
	}
}

// asks is how often a client asks at once so that each worker gets something,
// whatever balances: the kernel does so by chance.
const asks = 32

// eachAnswers checks that each of the workers answers while the others are
// stuck, and that nothing which went to those is lost.
func eachAnswers(t *testing.T, workers []*worker, ask client) {
	t.Helper()
	for _, w := range workers {
		var releases []func()
		for _, other := range workers {
			if other != w {
				releases = append(releases, other.block())
			}
		}
		type result struct {
			slot int
			err  error
		}
		results := make(chan result, asks)
		for i := range asks {
			go func() {
				slot, err := ask(i)
				results <- result{slot, err}
			}()
		}
		check := func(r result) {
			if r.err != nil {
				t.Fatalf("while only worker %d runs: %v", w.Slot, r.err)
			}
		}
		first := <-results
		if check(first); first.slot != w.Slot {
			t.Fatalf("worker %d answered, but only %d runs", first.slot, w.Slot)
		}
		for _, release := range releases {
			release()
		}
		for range asks - 1 {
			check(<-results)
		}
	}
}

// takesTurns checks that the workers answer one after the other.
func takesTurns(t *testing.T, workers []*worker, ask client) {
	t.Helper()
	var got []int
	for range 4 * len(workers) {
		slot, err := ask(0)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, slot)
	}
	for i, slot := range got {
		same := i >= len(workers) && slot == got[i-len(workers)]
		fresh := i < len(workers) && !slices.Contains(got[:i], slot)
		if !same && !fresh {
			t.Fatalf("connections went to workers %v", got)
		}
	}
}

// refuses checks that no socket listens at address.
func refuses(t *testing.T, network, address string) {
	t.Helper()
	if conn, err := net.Dial(network, address); err == nil {
		conn.Close()
		t.Errorf("a socket listens on %s", address)
	}
}

// readAfterHead returns the slot in the body of an HTTP/1.0 answer.
func readAfterHead(t *testing.T, conn net.Conn) int {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	slot, err := readSlot(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return slot
}

// A certificate that its own clients trust.
type certificate struct {
	options map[string]any // of Node's TLS servers
	pool    *x509.CertPool
}

func (c certificate) client() *tls.Config { return &tls.Config{RootCAs: c.pool} }

func newCertificate(t *testing.T) certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	return certificate{map[string]any{"cert": string(certPEM), "key": string(keyPEM)}, pool}
}
