package yodel_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/inproc"
	"github.com/yodelrpc/yodel/yodeltest"
)

// A context that is asked for the first time when its call has ended knows what one does
// that was asked before.
func TestContextAskedLate(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Hour} {
		var kept context.Context
		ch := newTCP(t, unaryServer(func(ctx context.Context, req *str) (*str, error) {
			if kept == nil {
				kept = ctx
			}
			return req, nil
		}))
		ctx := t.Context()
		if timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		for range 3 { // the stream is another call's by then
			if err := unary(ctx, ch, yodel.Header("x-mark", "mine")); err != nil {
				t.Fatal(err)
			}
		}
		if deadline, ok := kept.Deadline(); ok != (timeout > 0) || ok && time.Until(deadline) > timeout {
			t.Errorf("with a timeout of %v: the deadline is %v, %v", timeout, deadline, ok)
		}
		if kept.Value("a key") != nil {
			t.Error("the context has a value that nobody gave it")
		}
		if !strings.Contains(kept.(interface{ String() string }).String(), echoMethod.Path()) {
			t.Errorf("the context is %v", kept)
		}
		done := make(chan struct{})
		context.AfterFunc(kept, func() { close(done) })
		<-done
		<-kept.Done()
		if err := kept.Err(); !errors.Is(err, context.Canceled) {
			t.Errorf("the context of a call that is over: %v, want Canceled", err)
		}
		call := yodel.CallFrom(kept)
		if mark, _ := call.RequestHeader.Get("x-mark"); mark != "mine" || call.Method != echoMethod || call.Peer() == nil {
			t.Errorf("the call that is over is %+v", call)
		}
		if call != yodel.CallFrom(kept) {
			t.Error("a call is two")
		}
		md := metadata.MD{{Name: "x-stray", Value: "1"}}
		for what, err := range map[string]error{
			"SetHeader": call.SetHeader(md), "SendHeader": call.SendHeader(), "SetTrailer": call.SetTrailer(md), "SetCompressor": call.SetCompressor(nil),
		} {
			if err == nil {
				t.Errorf("%s works on a call that is over", what)
			}
		}
		ended := false
		call.OnDone(func(err error) { ended = err == nil })
		if !ended {
			t.Error("OnDone does not know that the call has ended well")
		}
	}
}

// Contexts are asked for the first time at the moment when their calls end, and their
// streams become other calls'.
func TestContextAskedAtTheEnd(t *testing.T) {
	const callers, calls = 8, 300
	var strays sync.WaitGroup
	ch := newTCP(t, unaryServer(func(ctx context.Context, req *str) (*str, error) {
		strays.Go(func() { <-ctx.Done() })
		strays.Go(func() {
			call := yodel.CallFrom(ctx)
			_ = call.SetTrailer(metadata.MD{{Name: "x-stray", Value: req.GetValue()}})
			if call.Peer() == nil || call.Method != echoMethod {
				t.Errorf("the call is %+v", call)
			}
		})
		return wrapperspb.String(req.GetValue()), nil
	}))
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for n := range calls {
				text, resp := strconv.Itoa(i*calls+n), newStr()
				var trailer metadata.MD
				err := yodel.CallUnary(t.Context(), ch, echoMethod, wrapperspb.String(text), resp, yodel.ReceiveTrailer(&trailer))
				if err != nil || resp.Value != text {
					t.Errorf("call %s: %q, %v", text, resp.Value, err)
				}
				if stray, ok := trailer.Get("x-stray"); ok && stray != text {
					t.Errorf("call %s has the trailer of call %s", text, stray)
				}
			}
		})
	}
	wg.Wait()
	strays.Wait()
}

// A handler that asks nothing of its call, and takes too long, does not keep the client
// from its answer at the deadline; nor does the timer of one that is quick survive it.
func TestDeadlineOfHandlerThatAsksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		ch := yodeltest.New(t, unaryServer(func(_ context.Context, req *str) (*str, error) {
			if req.GetValue() == "wait" {
				<-goOn
			}
			return req, nil
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := yodel.CallUnary(ctx, ch, echoMethod, wrapperspb.String("wait"), newStr())
		if took := time.Since(began); status.CodeOf(err) != status.DeadlineExceeded || took != time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		close(goOn)
		if err := unary(t.Context(), ch); err != nil {
			t.Error(err)
		}
	})
}

// What a handler chooses by its call is heeded, and so is what it returns.
func TestBareCallIsCustomized(t *testing.T) {
	ch := yodeltest.New(t, unaryServer(func(ctx context.Context, req *str) (*str, error) {
		if req.GetValue() == "large" {
			return wrapperspb.String(strings.Repeat("y", 100_000)), nil
		}
		return nil, yodel.CallFrom(ctx).SendHeader()
	}))
	resp := newStr()
	if err := yodel.CallUnary(t.Context(), ch, echoMethod, wrapperspb.String("large"), resp); err != nil || len(resp.GetValue()) != 100_000 {
		t.Errorf("%d bytes, %v", len(resp.GetValue()), err)
	}
	large := wrapperspb.String(strings.Repeat("y", 100_000))
	if err := yodel.CallUnary(t.Context(), ch, echoMethod, large, resp); err != nil || resp.GetValue() != "" {
		t.Errorf("%d bytes, %v", len(resp.GetValue()), err)
	}
}

// lateCodec does something while the response is encoded.
type lateCodec struct {
	encoding.Proto
	encoding func()
}

func (c lateCodec) Append(dst []byte, msg any) ([]byte, error) {
	c.encoding()
	return c.Proto.Append(dst, msg)
}

// What is asked of a call at the last moment is heeded: here, by the codec.
func TestBareCallIsAskedLast(t *testing.T) {
	var ctx context.Context
	codec := lateCodec{encoding: func() {
		if err := yodel.CallFrom(ctx).SetTrailer(metadata.MD{{Name: "x-late", Value: "1"}}); err != nil {
			t.Error(err)
		}
	}}
	ch := yodeltest.New(t, unaryServer(func(c context.Context, req *str) (*str, error) {
		ctx = c
		return req, nil
	}), yodeltest.Config{Server: yodel.ServerConfig{Codecs: []encoding.Codec{codec}}})
	var trailer metadata.MD
	resp := newStr()
	err := yodel.CallUnary(t.Context(), ch, echoMethod, wrapperspb.String("text"), resp, yodel.ReceiveTrailer(&trailer))
	if late, _ := trailer.Get("x-late"); err != nil || resp.GetValue() != "text" || late != "1" {
		t.Errorf("%q, trailer %v, %v", resp.GetValue(), trailer, err)
	}
}

// A client that goes before it has sent its request does not reach the handler.
func TestBareCallWithoutRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := yodel.NewServer(yodel.ServerConfig{})
		unaryServer(func(_ context.Context, req *str) (*str, error) {
			t.Error("the handler is called")
			return req, nil
		})(server)
		lis := inproc.NewListener(inproc.Config{})
		served := make(chan error, 1)
		go func() { served <- server.ServeTransport(context.Background(), lis) }()
		conn, err := lis.Dial(t.Context(), transport.Endpoint{}, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		s, err := conn.Open(t.Context(), &transport.Outgoing{Header: &transport.Header{Block: &transport.Block{
			Method: "POST", Scheme: "http", Authority: "test", Path: echoMethod.Path(),
			Fields: []transport.Field{{Name: "content-type", Value: "application/grpc"}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		conn.Close(context.Canceled)
		if err := errors.Join(server.Shutdown(t.Context()), <-served); err != nil {
			t.Error(err)
		}
	})
}
