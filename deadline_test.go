package yodel_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/inproc"
)

// A deadline that passes on the server is answered with its status, not with a
// bare reset: a client whose clock is a little later would report a reset as
// its own cancellation.
func TestServerAnswersAtTheDeadline(t *testing.T) {
	for name, handler := range map[string]func(context.Context){
		"handler that notices at once": func(ctx context.Context) { <-ctx.Done() },
		"handler that notices late": func(ctx context.Context) {
			<-ctx.Done()
			time.Sleep(time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				synctest.Test(t, func(t *testing.T) { askWithDeadline(t, handler) })
			}
		})
	}
}

// askWithDeadline is a client that sends grpc-timeout and never gives up itself.
func askWithDeadline(t *testing.T, handler func(context.Context)) {
	server := yodel.NewServer(yodel.ServerConfig{})
	server.Register(yodel.UnaryRoute(echoMethod, newStr, func(ctx context.Context, _ *str) (*str, error) {
		handler(ctx)
		return nil, ctx.Err()
	}))
	lis := inproc.NewListener(inproc.Config{})
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.ServeTransport(ctx, lis) }()
	conn, err := lis.Dial(ctx, transport.Endpoint{}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := conn.Open(context.Background(), &transport.Outgoing{
		Header: &transport.Header{Block: &transport.Block{
			Method: "POST", Scheme: "http", Authority: "test", Path: echoMethod.Path(),
			Fields: []transport.Field{{Name: "content-type", Value: "application/grpc"}, {Name: "grpc-timeout", Value: "50m"}},
		}},
		Data: []byte{0, 0, 0, 0, 0}, End: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, ended, err := s.Await(context.Background(), func(b []byte) int { return len(b) + 1 })
	if err != nil || !ended {
		t.Fatalf("the call ended with %v, want a status", err)
	}
	h, err := s.Header(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if code, _ := h.Get("grpc-status"); code != "4" {
		t.Errorf("grpc-status is %q, want 4", code)
	}
	s.Close()
	stop()
	conn.Close(context.Canceled)
	if err := <-served; err != nil {
		t.Error(err)
	}
}
