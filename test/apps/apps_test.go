package apps

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// samples are the applications that answer plain HTTP. Where since is not the
// oldest line, it is the oldest that the framework supports.
func samples() []sample {
	return []sample{
		{name: "express4", argv: []string{"server.js"}, since: "18.20.8", status: bySignal},
		{name: "express5", argv: []string{"server.js"}, since: "18.20.8", status: byItself},
		{name: "fastify", argv: []string{"server.js"}, since: "20.20.2", status: byItself},
		{name: "koa", argv: []string{"server.js"}, since: "18.20.8", status: bySignal},
		{name: "nest", argv: []string{"dist/main.js"}, since: "20.20.2", status: either},
		{name: "next", dir: ".next/standalone", argv: []string{"server.js"}, since: "20.20.2", status: either},
		{name: "next", argv: []string{"node_modules/.bin/next", "start"}, since: "20.20.2", status: either},
		{name: "socket.io", argv: []string{"server.js"}, since: "18.20.8", status: bySignal},
		{name: "cluster", argv: []string{"server.js"}, since: "18.20.8", status: bySignal},
		{name: "esm", argv: []string{"server.mjs"}, since: "18.20.8", status: bySignal},
		{name: "import", argv: []string{"--import", "./instrument.mjs", "server.mjs"}, since: "18.20.8", status: bySignal},
		{name: "tsx", argv: []string{"--import", "tsx", "server.ts"}, since: "18.20.8", status: bySignal, helpers: 1},
		{name: "types", argv: []string{"server.ts"}, since: "22.23.3", status: bySignal},
	}
}

// An unmodified application serves from both workers, whichever framework it is
// made with, and stops as that does.
func TestServeFromAllWorkers(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		t.Run(strings.Join(append([]string{s.name}, s.argv...), " "), func(t *testing.T) {
			harness.UnderEach(t, s.primaries(), func(t *testing.T, p harness.Primary) {
				v := s.serve(t, p, "")
				workers := v.listening()
				harness.UntilAllAnswer(t, workers, func() (string, error) { return harness.Get(v.url()) })
				v.checkProcesses(workers, s.helpers)
				v.checkStop(s)
				if strings.Contains(v.Output(), "primary\n") {
					t.Error("the application took itself for the primary")
				}
			})
		})
	}
}

// A websocket reaches both workers and stays with the one it has reached.
func TestWebSocket(t *testing.T) {
	s := sample{name: "ws", argv: []string{"server.js"}, since: "18.20.8", status: bySignal}
	harness.UnderEach(t, s.primaries(), func(t *testing.T, p harness.Primary) {
		v := s.serve(t, p, "")
		url := fmt.Sprintf("ws://127.0.0.1:%d/", v.port)
		client := testproc.Command{Argv: []string{harness.NodeBinary(t, p.Node), "client.js", url}, Dir: s.directory(t)}.Start(t)
		harness.UntilAllAnswer(t, v.listening(), func() (string, error) {
			var answers []string
			if err := json.Unmarshal([]byte(client.Line()), &answers); err != nil {
				return "", err
			}
			if answers = slices.Compact(answers); len(answers) != 1 {
				t.Fatalf("one websocket answered %q", answers)
			}
			return answers[0], nil
		})
		client.CloseStdin()
		client.WaitCode(0)
		v.checkStop(s)
	})
}

// HTTPS with a certificate of the application's: a TLS session that began at one
// worker is resumed by another, because all have the same ticket keys.
func TestHTTPS(t *testing.T) {
	s := sample{name: "https", argv: []string{"server.js"}, since: "18.20.8", status: byItself}
	key, certificate, trusted := ownCertificate(t)
	harness.UnderEach(t, s.primaries(), func(t *testing.T, p harness.Primary) {
		v := s.serve(t, p, "", "TLS_KEY="+key, "TLS_CERT="+certificate)
		client := http.Client{Timeout: testproc.HangLimit, Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{RootCAs: trusted, ClientSessionCache: tls.NewLRUClientSessionCache(1)},
		}}
		last, moved := 0, 0
		ask := func() (string, error) {
			response, err := client.Get(strings.Replace(v.url(), "http:", "https:", 1))
			if err != nil {
				return "", err
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				return "", err
			}
			pid := harness.PIDIn(t, string(body))
			if last != 0 && !response.TLS.DidResume {
				t.Errorf("process %d does not resume the session of %d", pid, last)
			}
			if last != 0 && pid != last {
				moved++
			}
			last = pid
			return string(body), nil
		}
		harness.UntilAllAnswer(t, v.listening(), ask)
		if moved == 0 {
			t.Error("no session moved")
		}
		v.checkStop(s)
	})
}

// ownCertificate makes a key and a certificate for 127.0.0.1: their files, and
// a pool of roots that has it.
func ownCertificate(t *testing.T) (keyFile, certificateFile string, trusted *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	keyFile, certificateFile = filepath.Join(dir, "key.pem"), filepath.Join(dir, "certificate.pem")
	encoded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	harness.WriteFile(t, keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), 0o600)
	harness.WriteFile(t, certificateFile, string(encoded), 0o644)
	trusted = x509.NewCertPool()
	trusted.AppendCertsFromPEM(encoded)
	return keyFile, certificateFile, trusted
}
