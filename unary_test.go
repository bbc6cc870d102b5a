package yodel_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/yodeltest"
)

type str = wrapperspb.StringValue

type yodelConfig = yodeltest.Config

func newStr() *str { return new(str) }

var (
	echoMethod  = &yodel.Method{Service: "test.Echo", Name: "Unary", Kind: yodel.UnaryKind}
	upMethod    = &yodel.Method{Service: "test.Echo", Name: "Up", Kind: yodel.ClientStreamKind}
	downMethod  = &yodel.Method{Service: "test.Echo", Name: "Down", Kind: yodel.ServerStreamKind}
	chatMethod  = &yodel.Method{Service: "test.Echo", Name: "Chat", Kind: yodel.BidiStreamKind}
	errTestDone = errors.New("test done")
)

func echo(_ context.Context, req *str) (*str, error) { return req, nil }

func up(_ context.Context, in iter.Seq2[*str, error]) (*str, error) {
	var all []string
	for req, err := range in {
		if err != nil {
			return nil, err
		}
		all = append(all, req.Value)
	}
	return wrapperspb.String(strings.Join(all, ",")), nil
}

func down(_ context.Context, req *str, send func(*str) error) error {
	for part := range strings.SplitSeq(req.Value, ",") {
		if err := send(wrapperspb.String(part)); err != nil {
			return err
		}
	}
	return nil
}

func chat(_ context.Context, in iter.Seq2[*str, error], send func(*str) error) error {
	for req, err := range in {
		if err != nil {
			return err
		}
		if err := send(req); err != nil {
			return err
		}
	}
	return nil
}

func registerEcho(s *yodel.Server) {
	s.Register(
		yodel.UnaryRoute(echoMethod, newStr, echo),
		yodel.ClientStreamRoute(upMethod, newStr, up),
		yodel.ServerStreamRoute(downMethod, newStr, down),
		yodel.BidiStreamRoute(chatMethod, newStr, chat),
	)
}

// bubble runs a test in one: goroutines and timers that are left fail it.
func bubble(t *testing.T, name string, body func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, body) })
}

func wantCode(t *testing.T, err error, code status.Code, texts ...string) {
	t.Helper()
	if got := status.CodeOf(err); got != code {
		t.Fatalf("code is %v (%v), want %v", got, err, code)
	}
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error is %q, which lacks %q", err, text)
		}
	}
}

// passThrough makes calls take the way through a Stream.
func passThrough(next yodel.Invoker) yodel.Invoker {
	return func(ctx context.Context, call *yodel.Call) (yodel.Stream, error) { return next(ctx, call) }
}

func serveThrough(next yodel.Handler) yodel.Handler {
	return func(ctx context.Context, call *yodel.Call, stream yodel.Stream) error { return next(ctx, call, stream) }
}

// bothPaths runs body over the unary fast paths of each side and over the Stream: they
// must not differ.
func bothPaths(t *testing.T, name string, body func(t *testing.T, cfg yodelConfig)) {
	t.Helper()
	client := yodel.ChannelConfig{Interceptors: []yodel.ClientInterceptor{passThrough}}
	server := yodel.ServerConfig{Interceptors: []yodel.ServerInterceptor{serveThrough}}
	bubble(t, name+"/fast", func(t *testing.T) { body(t, yodeltest.Config{}) })
	bubble(t, name+"/stream", func(t *testing.T) { body(t, yodeltest.Config{Channel: client}) })
	bubble(t, name+"/served stream", func(t *testing.T) { body(t, yodeltest.Config{Server: server}) })
}

func TestFourKinds(t *testing.T) {
	bothPaths(t, "unary", func(t *testing.T, cfg yodeltest.Config) {
		ch := yodeltest.New(t, registerEcho, cfg)
		for _, size := range []int{0, 1, 100, 1 << 20} {
			req, resp := wrapperspb.String(strings.Repeat("y", size)), newStr()
			if err := yodel.CallUnary(t.Context(), ch, echoMethod, req, resp); err != nil {
				t.Fatal(err)
			}
			if resp.Value != req.Value {
				t.Fatalf("got %d bytes, want %d", len(resp.Value), size)
			}
		}
	})
	bubble(t, "client stream", func(t *testing.T) {
		ch := yodeltest.New(t, registerEcho)
		s, err := yodel.CallClientStream[*str](t.Context(), ch, upMethod, newStr)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, v := range []string{"a", "b", "c"} {
			if err := s.Send(wrapperspb.String(v)); err != nil {
				t.Fatal(err)
			}
		}
		resp, err := s.CloseAndReceive()
		if err != nil || resp.Value != "a,b,c" {
			t.Fatalf("got %v, %v", resp, err)
		}
	})
	bubble(t, "server stream", func(t *testing.T) {
		ch := yodeltest.New(t, registerEcho)
		var got []string
		for resp, err := range yodel.CallServerStream(t.Context(), ch, downMethod, wrapperspb.String("a,b,c"), newStr) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, resp.Value)
		}
		if strings.Join(got, ",") != "a,b,c" {
			t.Fatalf("got %v", got)
		}
	})
	bubble(t, "bidi stream", func(t *testing.T) {
		ch := yodeltest.New(t, registerEcho)
		s, err := yodel.CallBidiStream[*str](t.Context(), ch, chatMethod, newStr)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, v := range []string{"a", "b"} {
			if err := s.Send(wrapperspb.String(v)); err != nil {
				t.Fatal(err)
			}
			resp, err := s.Receive()
			if err != nil || resp.Value != v {
				t.Fatalf("got %v, %v, want %q", resp, err, v)
			}
		}
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Receive(); err != io.EOF {
			t.Fatalf("after the last response: %v, want io.EOF", err)
		}
	})
}
