package http2_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// TestQueued (R11, CVE-2019-9517) would break if a peer that gives much credit
// and reads nothing could make us hold more than MaxQueued and what one caller
// is about to send.
func TestQueued(t *testing.T) {
	const calls, size = 100, 1000 // small enough to be copied
	attack := func(t *testing.T, maxQueued int) (queued int) {
		bubble(t, func(t *testing.T) {
			c := dialSized(t, http2.Config{MaxQueued: maxQueued}, 100, 4, 1<<30)
			go c.write(window(0, 1<<30))
			synctest.Wait()
			var group sync.WaitGroup
			for range calls {
				group.Go(func() {
					ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
					defer cancel()
					for range 20 {
						s, err := c.conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}, Data: make([]byte, size), End: true})
						if err != nil {
							break
						}
						defer s.Close()
					}
				})
			}
			synctest.Wait()
			queued = http2.BooksOf(c.conn).Queued
			group.Wait()
			c.end.cut()
			c.close()
		})
		return queued
	}
	// Each caller is let in while there is room, so they pass it by one message each.
	// What is being written counts apart from what waits.
	if n := attack(t, 20_000); n > 2*20_000+calls*(size+100) {
		t.Errorf("%d bytes are queued, want twice MaxQueued and a message of each caller at most", n)
	}
	if n := attack(t, -1); n < calls*size*15 {
		t.Errorf("without the limit %d bytes are queued: the attack is none", n)
	}
}

// TestStall (R11, R35) would break if a peer that takes no byte could keep the
// connection, or one that takes some were cut off.
func TestStall(t *testing.T) {
	play := func(t *testing.T, stall time.Duration, read time.Duration) (took time.Duration, r result) {
		bubble(t, func(t *testing.T) {
			c := dialSized(t, http2.Config{StallTimeout: stall}, 100, 4, 1<<30)
			start := time.Now()
			got := call(c.conn, strings.Repeat("x", 3000))
			stop := make(chan struct{})
			go func() {
				var b [10]byte
				for read > 0 {
					select {
					case <-stop:
						return
					case <-time.After(read):
						_ = c.end.SetReadDeadline(time.Time{})
						_, _ = c.nc.Read(b[:])
					}
				}
			}()
			select {
			case r = <-got:
			case <-time.After(time.Hour):
				c.end.cut()
				r = <-got
			}
			took = time.Since(start)
			close(stop)
			c.end.cut()
			c.close()
		})
		return took, r
	}
	if took, r := play(t, 0, 0); took < 19*time.Second || took > 41*time.Second || r.err == nil {
		t.Errorf("a peer that reads nothing ended the call after %v with %v, want 20 s", took, r)
	}
	if took, _ := play(t, -1, 0); took < time.Hour {
		t.Errorf("without the limit the call ended after %v", took)
	}
	if took, r := play(t, 0, 15*time.Second); took < time.Hour {
		t.Errorf("a peer that reads slowly ended the call after %v with %v", took, r)
	}
}

// TestSilentMemory (R17) would break if a connection that says nothing cost more
// than 12 KiB.
func TestSilentMemory(t *testing.T) {
	const n = 200
	bubble(t, func(t *testing.T) {
		var all []*served
		before := heap()
		for range n {
			all = append(all, serveSized(t, http2.Config{}, echo, 1000))
		}
		synctest.Wait()
		if after := heap(); after > before+n*(12<<10) {
			t.Errorf("%d silent connections hold %d bytes each", n, (after-before)/n)
		}
		for _, s := range all {
			_ = s.close()
		}
	})
}
