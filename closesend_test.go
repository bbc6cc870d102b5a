package yodel_test

import (
	"context"
	"iter"
	"testing"
	"testing/synctest"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/yodeltest"
)

// TestCloseSendLate would break if CloseSend failed because the server has ended the call
// already: whether it has is chance, and Receive tells how.
func TestCloseSendLate(t *testing.T) {
	bubble(t, "a failure", func(t *testing.T) {
		ch := yodeltest.New(t, func(s *yodel.Server) {
			s.Register(yodel.BidiStreamRoute(chatMethod, newStr, func(context.Context, iter.Seq2[*str, error], func(*str) error) error {
				return status.New(status.NotFound, "nobody here")
			}))
		})
		s, err := yodel.CallBidiStream[*str](t.Context(), ch, chatMethod, newStr)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := s.CloseSend(); err != nil {
			t.Errorf("CloseSend returns %v", err)
		}
		_, err = s.Receive()
		wantCode(t, err, status.NotFound, "nobody here")
	})
}
