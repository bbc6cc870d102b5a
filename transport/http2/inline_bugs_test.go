package http2_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// TestInlineHandlerBeforeUnparsed would break if frames that lay in the buffer
// when the reader's role was handed over were not parsed before something else
// arrives: more streams than one turn opens.
func TestInlineHandlerBeforeUnparsed(t *testing.T) {
	heldScript(t, http2.Config{}, func(s *served, _ chan struct{}) {
		burst := ask(1, hold)
		for id := uint32(3); id < 80; id += 2 {
			burst = append(burst, get(id)...)
		}
		s.write(burst)
		if d := took(func() {
			for range 2 * 39 {
				s.until("HEADERS")
			}
		}); d > stewardTime {
			t.Errorf("the last of 39 calls was answered after %v, want %v", d, stewardTime)
		}
		s.wantOutcome("alive")
	})
}

// TestInlineHandlerOfPart would break if a handler whose request has not come
// whole ran on the reader: the stream before it has been reset.
func TestInlineHandlerOfPart(t *testing.T) {
	serverScript(t, http2.Config{}, echo, func(s *served) {
		s.wantOutcome("alive")
		s.write(join(get(1), reset(1, frame.CodeCancel), opened(3)))
		synctest.Wait()
		s.write(data(3, "x", fEnd))
		if d := took(func() { s.want("HEADERS 3 trailers", "HEADERS 3 200; DATA 3 1; HEADERS 3 trailers END") }); d > 0 {
			t.Errorf("the answer came after %v, want 0", d)
		}
	})
}

// TestInlineHandlerAtTheEndAtOnce would break if a connection that is closed in
// the first moments of a handler on its reader could not end before that returns.
func TestInlineHandlerAtTheEndAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release, began := make(chan struct{}), make(chan struct{})
		p := newBubblePair(t, newPipeListener(pipeSize), handlerFunc(func(s transport.Stream, h *transport.Header) {
			close(began)
			select {
			case <-release:
			case <-time.After(time.Minute):
			}
			echo(s, h)
		}), http2.Config{}, http2.Config{})
		got := call(p.conn, "x")
		<-began
		start := time.Now()
		p.lis.Close(errors.New("closed"))
		if r := <-got; r.err == nil {
			t.Errorf("the call ended with %v", r)
		}
		if d := time.Since(start); d > 0 {
			t.Errorf("the client heard of the end after %v, want 0", d)
		}
		p.close()
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("closing took %v while a handler is running, want 1s or less", d)
		}
		close(release)
	})
}
