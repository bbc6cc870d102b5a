// Package nethttp is an echo over the standard library's HTTP/2, without gRPC
// and without protobuf: what any stack on net/http has below it.
package nethttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/yodelrpc/yodel/bench/benchpb"
	"github.com/yodelrpc/yodel/bench/stack"
)

// Stack is net/http with its defaults.
type Stack struct{}

var _ stack.Stack = Stack{}

// Name implements [stack.Stack].
func (Stack) Name() string { return "nethttp" }

// Server returns net/http's server for o, which speaks HTTP/2 only.
func Server(o stack.Options, handler http.Handler) *http.Server {
	server := &http.Server{Handler: handler, Protocols: protocols(o), ReadHeaderTimeout: 10 * time.Second}
	if o.Streams > 0 {
		server.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: o.Streams}
	}
	return server
}

func protocols(o stack.Options) *http.Protocols {
	var p http.Protocols
	if o.Certificates != "" {
		p.SetHTTP2(true)
	} else {
		p.SetUnencryptedHTTP2(true)
	}
	return &p
}

// Serve serves lis with TLS if o has it.
func Serve(lis net.Listener, o stack.Options, handler http.Handler) error {
	server := Server(o, handler)
	if o.Certificates == "" {
		return server.Serve(lis)
	}
	config, err := stack.ServerTLS(o.Certificates)
	if err != nil {
		return err
	}
	server.TLSConfig = config
	return server.ServeTLS(lis, "", "")
}

// Transport returns net/http's client side for o, and the URL of the server.
func Transport(address string, o stack.Options) (*http.Transport, string, error) {
	t := &http.Transport{
		Protocols: protocols(o),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, o.Network, address)
		},
	}
	if o.Certificates == "" {
		return t, "http://" + stack.ServerName, nil
	}
	config, err := stack.ClientTLS(o.Certificates)
	if err != nil {
		return nil, "", err
	}
	config.NextProtos = []string{"h2"}
	t.TLSClientConfig = config
	return t, "https://" + stack.ServerName, nil
}

// Serve implements [stack.Stack].
func (Stack) Serve(lis net.Listener, o stack.Options) error {
	echo := &stack.Echo{Work: o.Work}
	return Serve(lis, o, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := read(r.Body, r.ContentLength)
		if err != nil {
			return
		}
		echo.Do()
		_, _ = w.Write(body)
	}))
}

// read reads a body of a known length, or of an unknown one if that is
// negative.
func read(r io.Reader, length int64) ([]byte, error) {
	if length < 0 {
		return io.ReadAll(r)
	}
	body := make([]byte, length)
	_, err := io.ReadFull(r, body)
	return body, err
}

// Dial implements [stack.Stack].
func (Stack) Dial(address string, o stack.Options) (stack.Conn, error) {
	if o.Annotate {
		return nil, errors.ErrUnsupported
	}
	t, url, err := Transport(address, o)
	if err != nil {
		return nil, err
	}
	return &conn{transport: t, url: url + "/echo"}, nil
}

type conn struct {
	stack.UnaryOnly

	transport *http.Transport
	url       string
}

var _ stack.Conn = (*conn)(nil)

func (c *conn) Say(ctx context.Context, req *benchpb.Msg) (*benchpb.Msg, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(req.GetBody()))
	if err != nil {
		return nil, err
	}
	resp, err := c.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %s", resp.Status)
	}
	body, err := read(resp.Body, resp.ContentLength)
	return &benchpb.Msg{Body: body}, err
}

func (c *conn) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}
