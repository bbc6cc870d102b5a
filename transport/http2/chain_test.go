package http2

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
)

// woken counts those who have a token.
func woken(all []*waiter) (n int) {
	for _, w := range all {
		n += len(w.ch)
	}
	return n
}

// TestChainOrder would break if more were woken than there are processors, or if one
// who leaves without having been called woke another, or not if it has been.
func TestChainOrder(t *testing.T) {
	var c chain
	var pool waiters
	all := make([]*waiter, 10)
	for i := range all {
		all[i] = pool.take()
	}
	c.add(all, 2)
	for _, step := range []struct{ leaves, woken int }{
		{5, 2}, // has not been called
		{0, 3},
		{1, 4},
		{2, 5},
		{3, 6}, // wakes 6, since 5 has left
		{4, 7},
		{6, 8},
		{7, 9},
		{8, 9}, // there is nobody left
	} {
		all[step.leaves].leave(&c)
		if n := woken(all); n != step.woken {
			t.Errorf("when %d has left, %d have been woken, want %d", step.leaves, n, step.woken)
		}
	}
	if woken(all[5:6]) != 0 {
		t.Error("the one who had left was woken")
	}
}

// TestChainHolds would break, by a deadlock, if a receiver that leaves, at any
// moment, took the turn of those behind it with it.
func TestChainHolds(t *testing.T) {
	canceled := errors.New("canceled")
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			var c chain
			var pool waiters
			var all []*waiter
			results := make(chan error, 100)
			cancels := make([]context.CancelCauseFunc, cap(results))
			for i := range cancels {
				w := pool.take()
				var ctx context.Context
				ctx, cancels[i] = context.WithCancelCause(t.Context())
				all = append(all, w)
				go func() {
					err := w.wait(ctx)
					w.leave(&c)
					results <- err
				}()
			}
			for len(all) > 0 {
				n := min(len(all), 1+random.IntN(20))
				c.add(all[:n], 2)
				all = all[n:]
				for range random.IntN(15) {
					cancels[random.IntN(len(cancels))](canceled)
				}
				if random.IntN(2) == 0 {
					synctest.Wait()
				}
			}
			for range cap(results) {
				if err := <-results; err != nil && !errors.Is(err, canceled) {
					t.Error(err)
				}
			}
			if c.take() != nil {
				t.Error("somebody is left in the chain")
			}
			for _, cancel := range cancels {
				cancel(nil)
			}
		})
	}
}

// TestChainIsBounded would break if a chain that is never empty kept those who have
// been woken.
func TestChainIsBounded(t *testing.T) {
	var c chain
	var pool waiters
	pair := func() []*waiter { return []*waiter{pool.take(), pool.take(), pool.take()} }
	c.add(pair(), 0)
	for range 10_000 {
		c.add(pair(), 0)
		for range 3 {
			c.take()
		}
	}
	if cap(c.queue) > 100 {
		t.Errorf("the chain has room for %d", cap(c.queue))
	}
}
