package yodel_test

import (
	"context"
	"iter"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/status"
)

// cutListener keeps the connections that it accepts, to cut them.
type cutListener struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func (l *cutListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.mu.Lock()
		l.conns = append(l.conns, c)
		l.mu.Unlock()
	}
	return c, err
}

func (l *cutListener) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
}

// A connection that is closed is read as io.EOF. What was received so far must
// not look like all there is, to neither side: a handler would store half an
// upload as a whole one.
func TestLostConnectionIsNoEnd(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	lis := &cutListener{Listener: tcp}
	received, seen := make(chan struct{}), make(chan error, 1)
	s := yodel.NewServer(yodel.ServerConfig{Credentials: credentials.Insecure()})
	s.Register(
		yodel.ClientStreamRoute(upMethod, newStr, func(_ context.Context, in iter.Seq2[*str, error]) (*str, error) {
			var last error
			for _, err := range in {
				if last = err; err == nil {
					close(received)
				}
			}
			seen <- last
			return newStr(), last
		}),
		yodel.ServerStreamRoute(downMethod, newStr, func(ctx context.Context, req *str, send func(*str) error) error {
			err := send(req)
			<-ctx.Done()
			return err
		}),
	)
	served := make(chan error, 1)
	serving, stop := context.WithCancel(t.Context())
	go func() { served <- s.Serve(serving, lis) }()
	defer func() {
		stop()
		<-served
	}()

	var conn net.Conn
	ch := newChannel(t, tcp.Addr().String(), yodel.ChannelConfig{
		Credentials: credentials.Insecure(),
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, address)
			conn = c
			return c, err
		},
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()

	messages := 0
	var last error
	for _, err := range yodel.CallServerStream(ctx, ch, downMethod, newStr(), newStr) {
		if last = err; err == nil {
			messages++
			lis.cut()
		}
	}
	if messages != 1 {
		t.Errorf("%d messages, want 1", messages)
	}
	wantCode(t, last, status.Unavailable, "connection")

	up, err := yodel.CallClientStream[*str](ctx, ch, upMethod, newStr, yodel.WaitForReady())
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	if err := up.Send(newStr()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-received:
		_ = conn.Close()
	case <-ctx.Done():
		t.Fatal("the handler did not receive")
	}
	select {
	case err := <-seen:
		if err == nil {
			t.Error("the handler takes half an upload for a whole one")
		}
	case <-ctx.Done():
		t.Error("the handler was not told")
	}
}
