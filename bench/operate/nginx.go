package operate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/bench/server"
)

const nginxImage = "nginx:bookworm"

// nginxConfig is nginx as one sets it up for two servers. What it differs in from
// the defaults: connections to the servers are kept, and one that failed is
// tried again after 1 s instead of 10, so that the next can be stopped soon.
const nginxConfig = `
worker_processes 1;
error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off;
  upstream app {
    server %[2]s:%[1]d fail_timeout=1s;
    server %[3]s:%[1]d fail_timeout=1s;
    keepalive 32;
  }
  server {
    listen %[1]d;
    location / {
      proxy_pass %[4]s://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_connect_timeout 1s;
    }
  }
}
`

// beginNginx starts nginx in front of two replicas and moves the thread to its
// network. Each attempt that failed and was hidden from the client is a note.
func (o *operation) beginNginx(ctx context.Context, s *scene, c cell, network string, replicas []*replica) error {
	dir, err := os.MkdirTemp("", "nodeinit-bench-nginx-")
	if err != nil {
		return err
	}
	s.later(func() error { return os.RemoveAll(dir) })
	scheme := "http"
	if c.app == "https" {
		scheme = "https"
	}
	config := fmt.Sprintf(nginxConfig, server.Port, replicas[0].address, replicas[1].address, scheme)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return err
	}
	name := uniqueName("nginx")
	// Its master says nothing when it is up; the first answer through it does.
	p, err := o.contain(s, name, nginxImage, []string{"--network", network, "--volume", file + ":/etc/nginx/nginx.conf:ro"}, nil, nil)
	if err != nil {
		return err
	}
	s.notes = func() []string {
		return []string{fmt.Sprintf("nginx tried the other one: %d refused, %d without answer, %d cut off, %d other",
			p.count("[error]", "Connection refused"),
			p.count("[error]", "timed out")+p.count("[error]", "unreachable"),
			p.count("[error]", "prematurely closed")+p.count("[error]", "reset by peer"),
			p.count("[error]")-p.count("[error]", "Connection refused")-p.count("[error]", "timed out")-p.count("[error]", "unreachable")-
				p.count("[error]", "prematurely closed")-p.count("[error]", "reset by peer"))}
	}
	err = server.Until(func() (bool, error) {
		select {
		case <-p.ended:
			return false, errEnded
		default:
		}
		pid, err := command(ctx, nil, "docker", "inspect", "--format", "{{.State.Pid}}", name)
		return err == nil && pid != "0", nil
	})
	if err != nil {
		return fmt.Errorf("nginx: %w", err)
	}
	return enter(ctx, name)
}

// awaitAnswerOf asks nginx until a replica has answered.
func awaitAnswerOf(number int) error {
	err := server.Until(func() (bool, error) {
		fd, err := server.Dial([4]byte{127, 0, 0, 1})
		if err != nil {
			return false, nil // nginx does not listen yet
		}
		defer unix.Close(fd)
		replica, _ := server.Ask(fd) // the load counts failures
		return replica == number, nil
	})
	if err != nil {
		return fmt.Errorf("answer of replica %d: %w", number, err)
	}
	return nil
}

// makeCertificate makes a directory with key.pem and cert.pem.
func makeCertificate() (dir string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "bench"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(7 * 24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err1 := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	secret, err2 := x509.MarshalPKCS8PrivateKey(key)
	dir, err3 := os.MkdirTemp("", "nodeinit-bench-tls-")
	if err := errors.Join(err1, err2, err3); err != nil {
		return "", err
	}
	write := func(name, kind string, der []byte) error {
		return os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o644)
	}
	return dir, errors.Join(os.Chmod(dir, 0o755), write("key.pem", "PRIVATE KEY", secret), write("cert.pem", "CERTIFICATE", cert))
}
