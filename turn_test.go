package yodel

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// Who waits gets the turn in the order of asking, whether the queue has been empty
// meanwhile or not, and after the last one it is free.
func TestTurnOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tt turn
		var got []int
		ask := func(n int) {
			go func() {
				tt.take()
				got = append(got, n)
			}()
			synctest.Wait()
		}
		give := func(want ...int) {
			t.Helper()
			tt.give()
			synctest.Wait()
			if !slices.Equal(got, want) {
				t.Errorf("the turn went to %v, want %v", got, want)
			}
		}
		tt.take()
		ask(1)
		ask(2)
		give(1)
		ask(3)
		give(1, 2)
		give(1, 2, 3)
		ask(4)
		give(1, 2, 3, 4)
		if tt.tryTake() {
			t.Error("a turn was free while somebody had it")
		}
		tt.give()
		if !tt.tryTake() {
			t.Error("a turn that everybody has given up is not free")
		}
	})
}

// One at a time has the turn.
func TestTurnExcludes(t *testing.T) {
	var tt turn
	var wg sync.WaitGroup
	const goroutines, times = 8, 2000
	n := 0
	for range goroutines {
		wg.Go(func() {
			for range times {
				tt.take()
				n++
				tt.give()
			}
		})
	}
	wg.Wait()
	if n != goroutines*times {
		t.Errorf("counted %d of %d", n, goroutines*times)
	}
}
