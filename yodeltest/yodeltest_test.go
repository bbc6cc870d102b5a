package yodeltest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/yodeltest"
)

var slow = &yodel.Method{Service: "test.Slow", Name: "Wait", Kind: yodel.UnaryKind}

func newStr() *wrapperspb.StringValue { return new(wrapperspb.StringValue) }

// register serves a method that takes an hour.
func register(s *yodel.Server) {
	s.Register(yodel.UnaryRoute(slow, newStr, func(ctx context.Context, req *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
		select {
		case <-time.After(time.Hour):
			return req, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}))
}

// In a bubble an hour passes at once, and nothing is left of the pair when the
// test ends: the bubble would not end otherwise.
func TestInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		channel := yodeltest.New(t, register)
		began := time.Now()
		if err := yodel.CallUnary(t.Context(), channel, slow, newStr(), newStr()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d != time.Hour {
			t.Errorf("the call took %v", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := yodel.CallUnary(ctx, channel, slow, newStr(), newStr()); !errors.Is(err, status.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// It works without one too, and ends with the test.
func TestOutside(t *testing.T) {
	var channel *yodel.Channel
	t.Run("inner", func(t *testing.T) {
		channel, _ = yodeltest.NewPair(t, register)
		if err := channel.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if channel.State() != yodel.Shutdown {
		t.Errorf("the channel is %v after its test", channel.State())
	}
}
