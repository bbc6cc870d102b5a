package http2_test

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// TestIdleWorkersEnd would break if the goroutines of a burst of calls stayed for
// as long as their listener.
func TestIdleWorkersEnd(t *testing.T) {
	const burst = 200
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		p := newBubblePair(t, newPipeListener(pipeSize), handlerFunc(func(s transport.Stream, h *transport.Header) {
			<-release
			echo(s, h)
		}), http2.Config{}, http2.Config{})
		synctest.Wait()
		before := runtime.NumGoroutine()
		var calls sync.WaitGroup
		for range burst {
			calls.Go(func() {
				if r := <-call(p.conn, "x"); r.err != nil {
					t.Error(r.err)
				}
			})
		}
		synctest.Wait()
		if n := runtime.NumGoroutine(); n < before+burst {
			t.Errorf("%d goroutines serve %d calls: the burst is none", n-before, burst)
		}
		close(release)
		calls.Wait()
		time.Sleep(3 * time.Second) // virtual
		synctest.Wait()
		if n := runtime.NumGoroutine(); n > before+1 {
			t.Errorf("%d goroutines are left of %d calls 3 s later", n-before, burst)
		}
		p.close()
	})
}
