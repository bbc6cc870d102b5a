package yodel_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/metadata"
)

// TestKeptCall would break if what a handler has kept of its call reached another call
// once that has the memory of its stream.
func TestKeptCall(t *testing.T) {
	type kept struct {
		ctx    context.Context
		call   *yodel.Call
		stream yodel.Stream
	}
	var first *kept
	inside, goOn := make(chan context.Context), make(chan struct{})
	ch := newTCP(t, func(s *yodel.Server) {
		s.Register(yodel.Route{Method: echoMethod, Handler: func(ctx context.Context, call *yodel.Call, stream yodel.Stream) error {
			req := newStr()
			if err := stream.Receive(req); err != nil {
				return err
			}
			if first == nil {
				first = &kept{ctx, call, stream}
			} else {
				inside <- ctx
				<-goOn
			}
			return stream.Send(req)
		}})
	})
	if err := unary(t.Context(), ch); err != nil {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	resp := newStr()
	go func() {
		second <- yodel.CallUnary(t.Context(), ch, echoMethod, wrapperspb.String("second"), resp)
	}()
	ctx := <-inside
	<-first.ctx.Done()
	if err := first.ctx.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("the context of a call that is over: %v, want Canceled", err)
	}
	md := metadata.MD{{Name: "x-stray", Value: "1"}}
	for what, err := range map[string]error{
		"Send":       first.stream.Send(wrapperspb.String("stray")),
		"Receive":    first.stream.Receive(newStr()),
		"SetHeader":  first.call.SetHeader(md),
		"SendHeader": first.call.SendHeader(),
		"SetTrailer": first.call.SetTrailer(md),
	} {
		if err == nil {
			t.Errorf("%s works on a call that is over", what)
		}
	}
	_ = first.stream.Close()
	if first.call.Peer() == nil {
		t.Error("the peer of a call that is over is lost")
	}
	if err := ctx.Err(); err != nil {
		t.Errorf("the other call has ended: %v", err)
	}
	close(goOn)
	if err := <-second; err != nil || resp.Value != "second" {
		t.Errorf("the other call: %q, %v", resp.Value, err)
	}
}

// TestStraysOfEarlierCalls is TestKeptCall at the moment when calls end: those that
// handlers have left are at it while their streams become other calls'.
func TestStraysOfEarlierCalls(t *testing.T) {
	const callers, calls = 8, 200
	var strays sync.WaitGroup
	ch := newTCP(t, func(s *yodel.Server) {
		s.Register(yodel.Route{Method: echoMethod, Handler: func(ctx context.Context, _ *yodel.Call, stream yodel.Stream) error {
			req := newStr()
			if err := stream.Receive(req); err != nil {
				return err
			}
			strays.Go(func() {
				<-ctx.Done()
				_ = stream.Receive(newStr())
			})
			strays.Go(func() {
				stop := context.AfterFunc(ctx, func() {})
				defer stop()
				_ = stream.Receive(newStr())
			})
			return stream.Send(req)
		}})
	})
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for n := range calls {
				text, resp := strconv.Itoa(i*calls+n), newStr()
				err := yodel.CallUnary(t.Context(), ch, echoMethod, wrapperspb.String(text), resp)
				if err != nil || resp.Value != text {
					t.Errorf("call %s: %q, %v", text, resp.Value, err)
				}
			}
		})
	}
	wg.Wait()
	strays.Wait()
}
