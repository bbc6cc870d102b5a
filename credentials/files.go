package credentials

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"

	"github.com/yodelrpc/yodel/transport"
)

// FileCredentials are TLS credentials whose certificates are files. See Files.
type FileCredentials struct {
	cert, key, ca string
	allowNoALPN   bool
	loaded        atomic.Pointer[loadedFiles]
	failure       atomic.Pointer[error]
}

var _ transport.Handshaker = (*FileCredentials)(nil)

// loadedFiles is what one look at the files found. It does not change.
type loadedFiles struct {
	infos          []os.FileInfo
	client, server *tlsHandshaker
}

// Files returns TLS credentials from PEM files: a certificate (with its chain)
// and its key, and the authorities to trust.
//
// A server needs cert and key; with ca it demands a client certificate that one
// of those authorities signed (mutual TLS). A client verifies the server with
// ca, or the system's roots if ca is empty, and shows cert if it is not empty.
//
// Each handshake looks whether the files have changed, and uses the new ones if
// they are good. If they are not, say because only one of two has been replaced
// yet, the last good ones stay in use, and Err says why. There is no
// goroutine to stop.
func Files(cert, key, ca string, options ...TLSOption) (*FileCredentials, error) {
	if (cert == "") != (key == "") {
		return nil, errors.New("credentials.Files needs both a certificate and its key, or neither")
	}
	f := &FileCredentials{cert: cert, key: key, ca: ca, allowNoALPN: allowsNoALPN(options)}
	loaded, err := f.load()
	if err != nil {
		return nil, err
	}
	f.loaded.Store(loaded)
	return f, nil
}

// Err returns why the files, as they were at the last handshake, could not be
// used; nil if they could. It is safe for concurrent use.
func (f *FileCredentials) Err() error {
	if err := f.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Scheme returns "https".
func (*FileCredentials) Scheme() string { return "https" }

// ClientHandshake implements [transport.Handshaker]. It closes raw if it fails.
func (f *FileCredentials) ClientHandshake(ctx context.Context, raw net.Conn, serverName string) (net.Conn, transport.AuthInfo, error) {
	return f.current().client.ClientHandshake(ctx, raw, serverName)
}

// ServerHandshake implements [transport.Handshaker]. It closes raw if it fails.
func (f *FileCredentials) ServerHandshake(ctx context.Context, raw net.Conn) (net.Conn, transport.AuthInfo, error) {
	return f.current().server.ServerHandshake(ctx, raw)
}

// current returns what to use now. Handshakes that come together may load the
// same files at the same time, which costs a little and needs no lock.
func (f *FileCredentials) current() *loadedFiles {
	last := f.loaded.Load()
	infos, err := f.stat()
	if err == nil && same(infos, last.infos) {
		f.failure.Store(nil)
		return last
	}
	var fresh *loadedFiles
	if err == nil {
		fresh, err = f.load()
	}
	if err != nil {
		f.failure.Store(&err)
		return last
	}
	f.failure.Store(nil)
	f.loaded.Store(fresh)
	return fresh
}

func (f *FileCredentials) stat() ([]os.FileInfo, error) {
	var infos []os.FileInfo
	for _, path := range []string{f.cert, f.key, f.ca} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("credentials.Files: %w", err)
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// same tells whether two looks saw the same files: a file may be written over,
// or replaced, or be behind a symbolic link that is.
func same(a, b []os.FileInfo) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !os.SameFile(a[i], b[i]) || a[i].Size() != b[i].Size() || !a[i].ModTime().Equal(b[i].ModTime()) {
			return false
		}
	}
	return true
}

// load looks at the files before it reads them, so that a change in between is
// seen by the next look.
func (f *FileCredentials) load() (*loadedFiles, error) {
	infos, err := f.stat()
	if err != nil {
		return nil, err
	}
	client, server := &tls.Config{}, &tls.Config{}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("credentials.Files: certificate %s with key %s: %w", f.cert, f.key, err)
		}
		client.Certificates = []tls.Certificate{pair}
		server.Certificates = client.Certificates
	}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("credentials.Files: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("credentials.Files: %s holds no certificate in PEM form", f.ca)
		}
		client.RootCAs, server.ClientCAs = pool, pool
		server.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return &loadedFiles{
		infos:  infos,
		client: newTLS(client, f.allowNoALPN),
		server: newTLS(server, f.allowNoALPN),
	}, nil
}
