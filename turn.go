package yodel

import "sync"

// turn is a lock for what may wait long, such as sending under flow control.
// Unlike a mutex, a goroutine that waits for its turn counts as blocked for
// testing/synctest. The zero value is free.
type turn struct {
	mu    sync.Mutex
	taken bool
	// queue are those who wait, in order; each gets its turn by a close.
	queue []chan struct{}
}

// take waits for the turn.
func (t *turn) take() {
	t.mu.Lock()
	if !t.taken {
		t.taken = true
		t.mu.Unlock()
		return
	}
	mine := make(chan struct{})
	t.queue = append(t.queue, mine)
	t.mu.Unlock()
	<-mine
}

// tryTake takes the turn if it is free.
func (t *turn) tryTake() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	free := !t.taken
	t.taken = true
	return free
}

// give passes the turn on.
func (t *turn) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		t.taken = false
		return
	}
	next := t.queue[0]
	t.queue = t.queue[1:]
	close(next)
}
