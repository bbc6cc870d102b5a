package yodel

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// Who waits gets the turn in the order of asking, whether the queue has been empty
// meanwhile or not, and after the last one it is free. The other turn is a matter of its
// own.
func TestTurnOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var both turns
		var got []int
		ask := func(n int, one *turn) {
			go func() {
				both.take(one)
				got = append(got, n)
			}()
			synctest.Wait()
		}
		give := func(one *turn, want ...int) {
			t.Helper()
			both.give(one)
			synctest.Wait()
			if !slices.Equal(got, want) {
				t.Errorf("the turn went to %v, want %v", got, want)
			}
		}
		one, other := &both.sending, &both.receiving
		both.take(one)
		both.take(other)
		ask(1, one)
		ask(10, other)
		ask(2, one)
		give(one, 1)
		ask(3, one)
		give(one, 1, 2)
		give(one, 1, 2, 3)
		ask(4, one)
		give(one, 1, 2, 3, 4)
		if one.tryTake() {
			t.Error("a turn was free while somebody had it")
		}
		give(one, 1, 2, 3, 4)
		if !one.tryTake() {
			t.Error("a turn that everybody has given up is not free")
		}
		if other.tryTake() {
			t.Error("the other turn was free while somebody waited for it")
		}
		give(other, 1, 2, 3, 4, 10)
	})
}

// One at a time has the turn.
func TestTurnExcludes(t *testing.T) {
	var both turns
	var wg sync.WaitGroup
	const goroutines, times = 8, 2000
	n := 0
	for range goroutines {
		wg.Go(func() {
			for range times {
				both.take(&both.sending)
				n++
				both.give(&both.sending)
			}
		})
	}
	wg.Wait()
	if n != goroutines*times {
		t.Errorf("counted %d of %d", n, goroutines*times)
	}
}
