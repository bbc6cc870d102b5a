package credentials

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writePair writes a certificate and its key as PEM files.
func writePair(t *testing.T, certPath, keyPath string, pair tls.Certificate) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, certPath, "CERTIFICATE", pair.Certificate[0])
	writePEM(t, keyPath, "PRIVATE KEY", key)
}

// writePEM replaces a file as certificate tools do: by renaming a new one.
func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	fresh := path + ".new"
	if err := os.WriteFile(fresh, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, path); err != nil {
		t.Fatal(err)
	}
}

// shownName is the name in the certificate that the other side showed.
func shownName(o outcome) string {
	return o.auth.(TLSInfo).State.PeerCertificates[0].Subject.CommonName
}

func TestFilesReload(t *testing.T) {
	dir := t.TempDir()
	cert, key, ca := filepath.Join(dir, "cert"), filepath.Join(dir, "key"), filepath.Join(dir, "ca")
	first := newAuthority(t)
	later := time.Now().Add(time.Hour)
	writePair(t, cert, key, first.issue(t, "one.test", later))
	writePEM(t, ca, "CERTIFICATE", first.cert.Raw)
	files, err := Files(cert, key, ca)
	if err != nil {
		t.Fatal(err)
	}
	// Both sides use the same files: mutual TLS.
	c, s := handshake(t, files, files, "one.test")
	if c.err != nil || s.err != nil || shownName(c) != "one.test" || shownName(s) != "one.test" {
		t.Fatalf("%v, %v", c.err, s.err)
	}
	loaded := files.loaded.Load()
	if files.current() != loaded {
		t.Error("files that have not changed are read again")
	}

	// Half of a pair is replaced: the old pair stays, and Err says so.
	second := newAuthority(t)
	next := second.issue(t, "two.test", later)
	writePEM(t, cert, "CERTIFICATE", next.Certificate[0])
	if c, s := handshake(t, files, files, "one.test"); c.err != nil || s.err != nil {
		t.Errorf("with half a pair: %v, %v", c.err, s.err)
	}
	wantError(t, "Err", files.Err(), cert, key)

	writePair(t, cert, key, next)
	writePEM(t, ca, "CERTIFICATE", second.cert.Raw)
	if c, s = handshake(t, files, files, "two.test"); c.err != nil || s.err != nil || shownName(c) != "two.test" {
		t.Errorf("after the change: %v, %v", c.err, s.err)
	}
	if files.Err() != nil {
		t.Error(files.Err())
	}

	if err := os.Remove(ca); err != nil {
		t.Fatal(err)
	}
	if c, s := handshake(t, files, files, "two.test"); c.err != nil || s.err != nil {
		t.Errorf("with a file gone: %v, %v", c.err, s.err)
	}
	wantError(t, "Err", files.Err(), ca)
}

func TestFilesDemandsClientCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key, ca := filepath.Join(dir, "cert"), filepath.Join(dir, "key"), filepath.Join(dir, "ca")
	authority := newAuthority(t)
	writePair(t, cert, key, authority.issue(t, "server.test", time.Now().Add(time.Hour)))
	writePEM(t, ca, "CERTIFICATE", authority.cert.Raw)
	server, err := Files(cert, key, ca)
	if err != nil {
		t.Fatal(err)
	}
	client, err := Files("", "", ca)
	if err != nil {
		t.Fatal(err)
	}
	_, s := handshake(t, client, server, "server.test")
	wantError(t, "server", s.err, "didn't provide a certificate")
	open, err := Files(cert, key, "")
	if err != nil {
		t.Fatal(err)
	}
	if c, s := handshake(t, client, open, "server.test"); c.err != nil || s.err != nil {
		t.Errorf("without ca the server asks for a client certificate: %v, %v", c.err, s.err)
	}
	if client.Scheme() != "https" {
		t.Error("wrong scheme")
	}
}

// A file that is written over in place keeps its identity, and may keep its
// size: only its time tells.
func TestFilesWrittenOver(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	writePair(t, cert, key, newAuthority(t).issue(t, "x.test", time.Now().Add(time.Hour)))
	files, err := Files(cert, key, "")
	if err != nil {
		t.Fatal(err)
	}
	first := files.current()
	if err := os.Chtimes(cert, time.Time{}, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if files.current() == first {
		t.Error("a changed file is not read again")
	}
}

func TestFilesErrors(t *testing.T) {
	dir := t.TempDir()
	cert, key, ca := filepath.Join(dir, "cert"), filepath.Join(dir, "key"), filepath.Join(dir, "ca")
	writePair(t, cert, key, newAuthority(t).issue(t, "x.test", time.Now().Add(time.Hour)))
	if err := os.WriteFile(ca, []byte("not PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name          string
		cert, key, ca string
		says          string
	}{
		{"certificate only", cert, "", "", "both"},
		{"key only", "", key, "", "both"},
		{"missing file", cert, filepath.Join(dir, "none"), "", "none"},
		{"swapped", key, cert, "", cert},
		{"no PEM", "", "", ca, "no certificate"},
	} {
		_, err := Files(c.cert, c.key, c.ca)
		wantError(t, c.name, err, c.says)
	}
}
