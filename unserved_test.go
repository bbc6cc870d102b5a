package yodel_test

import (
	"context"
	"net"
	"testing"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
	"github.com/yodelrpc/yodel/transport/inproc"
)

// A listener that a server refuses to serve is closed, and is then not among the
// living.
func TestUnservedListeners(t *testing.T) {
	var reg transport.Registry
	s := yodel.NewServer(yodel.ServerConfig{Credentials: credentials.Insecure()})
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for _, lis := range []transport.Listener{
		inproc.NewListener(inproc.Config{Registry: &reg}),
		http2.NewListener(raw, http2.ListenerConfig{Registry: &reg}),
	} {
		if err := s.ServeTransport(context.Background(), lis); err == nil {
			t.Errorf("a server that was shut down serves a %T", lis)
		}
	}
	if left := reg.Snapshot(); len(left) != 0 {
		t.Errorf("the registry has %v", left)
	}
}
