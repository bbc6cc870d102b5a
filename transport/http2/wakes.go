package http2

// maxWakes bounds the channels that a connection keeps for those who wait next.
const maxWakes = 128

// wakes lends the channels on which users of streams wait, so that a stream
// nobody waits on has none. Conn.mu guards it.
//
// A channel may come with a token that was meant for whoever had it before. So
// being woken only means to look again.
type wakes struct{ free []chan struct{} }

func (w *wakes) take() chan struct{} {
	n := len(w.free)
	if n == 0 {
		return make(chan struct{}, 1)
	}
	ch := w.free[n-1]
	w.free[n-1] = nil
	w.free = w.free[:n-1]
	return ch
}

func (w *wakes) give(ch chan struct{}) {
	select {
	case <-ch:
	default:
	}
	if len(w.free) < maxWakes {
		w.free = append(w.free, ch)
	}
}
