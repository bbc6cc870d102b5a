package grpcgo

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/yodelrpc/yodel"
)

// What others choose the names of must not grow for ever.
func TestMethodsAreBounded(t *testing.T) {
	c := NewClientConn(nil, ClientConfig{})
	first, err := c.method("/s/0", yodel.UnaryKind)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := c.method("/s/0", yodel.UnaryKind); again != first {
		t.Error("a method is made anew for each call")
	}
	for i := range 3 * maxMethods {
		if _, err := c.method("/s/"+strconv.Itoa(i), yodel.UnaryKind); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.methods); n > maxMethods {
		t.Errorf("%d methods are remembered, the limit is %d", n, maxMethods)
	}
}

func TestSPIFFEID(t *testing.T) {
	for _, c := range []struct {
		uris []string
		ok   bool
	}{
		{nil, false},
		{[]string{"spiffe://example.org/a/b"}, true},
		{[]string{"spiffe://example.org/a", "spiffe://example.org/b"}, false},
		{[]string{"spiffe://example.org/a", "https://example.org/b"}, false},
		{[]string{"https://example.org/a"}, false},
		{[]string{"spiffe://example.org"}, false},
		{[]string{"spiffe:///a"}, false},
		{[]string{"spiffe:a"}, false},
		{[]string{"spiffe://user@example.org/a"}, false},
		{[]string{"spiffe://" + strings.Repeat("d", 255) + "/a"}, true},
		{[]string{"spiffe://" + strings.Repeat("d", 256) + "/a"}, false},
		{[]string{"spiffe://d/" + strings.Repeat("a", 2037)}, true},
		{[]string{"spiffe://d/" + strings.Repeat("a", 2038)}, false},
	} {
		cert := new(x509.Certificate)
		for _, text := range c.uris {
			u, err := url.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			cert.URIs = append(cert.URIs, u)
		}
		if id := spiffeID(tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}); (id != nil) != c.ok {
			t.Errorf("%.60q: %v", c.uris, id)
		}
	}
	if spiffeID(tls.ConnectionState{}) != nil {
		t.Error("no certificate has an ID")
	}
}
