package http2

import (
	"sync"
	"time"
)

// idleTime is how long a worker that nobody needs stays.
const idleTime = time.Second

// workers runs handlers on goroutines that are used again: a fresh goroutine
// has to grow its stack in the handler, which costs about as much as the rest of
// a small call. The last to become idle is the first to be used, so that stacks
// stay warm and the surplus can go.
//
// Streams that arrived together are served by one worker after the other, as
// long as their handlers are quick. A worker that leaves streams behind calls
// for one more before it serves, so none waits for a handler that does not
// return soon: see Conn.serveAccepted.
//
// The goroutines belong to the listener. Idle ones end within two idleTimes,
// and all of them with it.
type workers struct {
	mu     sync.Mutex
	idle   []*worker
	least  int // fewest idle workers since the last trim
	timer  *time.Timer
	closed bool
}

type worker struct {
	next chan *Conn // closed to end the worker
}

// start has a worker serve what c has accepted.
func (w *workers) start(c *Conn) {
	w.mu.Lock()
	if n := len(w.idle); n > 0 {
		chosen := w.idle[n-1]
		w.idle[n-1] = nil
		w.idle = w.idle[:n-1]
		w.least = min(w.least, n-1)
		w.mu.Unlock()
		chosen.next <- c
		return
	}
	w.mu.Unlock()
	go w.run(c)
}

// run serves connections until the worker has been idle for long enough.
func (w *workers) run(c *Conn) {
	var self *worker
	for c != nil {
		c.serveAccepted()
		if self == nil { // many handlers never get here
			self = &worker{next: make(chan *Conn, 1)}
		}
		if !w.rest(self) {
			return
		}
		c = <-self.next
	}
}

// rest lists a worker as idle.
func (w *workers) rest(self *worker) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.idle = append(w.idle, self)
	if w.timer == nil {
		w.least = len(w.idle)
		w.timer = time.AfterFunc(idleTime, w.trim)
	}
	return true
}

// trim ends the workers that were idle throughout the last idleTime.
func (w *workers) trim() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return // the timer had fired already when close stopped it
	}
	w.endLocked(w.least)
	w.least = len(w.idle)
	if len(w.idle) == 0 {
		w.timer = nil
		return
	}
	w.timer.Reset(idleTime)
}

// endLocked ends the n workers that have been idle for longest.
func (w *workers) endLocked(n int) {
	for _, idle := range w.idle[:n] {
		close(idle.next)
	}
	w.idle = append(w.idle[:0], w.idle[n:]...)
	clear(w.idle[len(w.idle):cap(w.idle)])
}

// close ends the idle workers now and the others when their handlers return.
func (w *workers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	w.endLocked(len(w.idle))
}
