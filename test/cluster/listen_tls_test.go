package cluster

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// TLS sessions resume with another worker: all have the first one's keys.
func TestResumesTLSSessions(t *testing.T) {
	certificate := newCertificate(t)
	harness.UnderEach(t, primaries(allBalances...), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		workers, port := k.all(2), harness.ReservePort(t)
		for _, w := range workers {
			w.listens(object{"kind": "https", "args": []any{port}, "tls": certificate.options})
		}
		address := fmt.Sprintf("127.0.0.1:%d", port)
		transport := &http.Transport{TLSClientConfig: certificate.client()}
		eachAnswers(t, workers, web("https://"+address, transport))

		config := certificate.client()
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		seen := make(map[int]bool)
		for number := 0; len(seen) < 2; number++ {
			if number == 10*asks {
				t.Fatalf("only %v answered", seen)
			}
			if p.Balance == "shared" && len(seen) == 1 { // the one that was not yet
				for slot := range seen {
					defer workers[slot].block()()
				}
			}
			slot, resumed := handshake(t, address, config, number)
			if want := number > 0; resumed != want {
				t.Fatalf("connection %d, to worker %d, resumed: %v, want %v", number, slot, resumed, want)
			}
			seen[slot] = true
		}
	})
}

// handshake makes a request over TLS.
func handshake(t *testing.T, address string, config *tls.Config, number int) (slot int, resumed bool) {
	t.Helper()
	conn, err := tls.DialWithDialer(dialer("tcp", address, number), "tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	body := readAfterHead(t, conn)
	return body, conn.ConnectionState().DidResume
}

// HTTP/2 over TLS is passed on like any other connection.
func TestServesHTTP2(t *testing.T) {
	certificate := newCertificate(t)
	harness.UnderEach(t, primaries(allBalances...), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		workers, port := k.all(2), harness.ReservePort(t)
		for _, w := range workers {
			w.listens(object{"kind": "http2", "args": []any{port}, "tls": certificate.options})
		}
		address := fmt.Sprintf("127.0.0.1:%d", port)
		transport := &http.Transport{TLSClientConfig: certificate.client(), ForceAttemptHTTP2: true}
		eachAnswers(t, workers, web("https://"+address, transport))
		response, err := (&http.Client{Transport: transport}).Get("https://" + address)
		if err != nil {
			t.Fatal(err)
		}
		defer transport.CloseIdleConnections()
		defer response.Body.Close()
		if response.ProtoMajor != 2 {
			t.Errorf("answered with %s", response.Proto)
		}
	})
}
