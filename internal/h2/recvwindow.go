package h2

import "github.com/yodelrpc/yodel/internal/frame"

// updateShare is the part of a window, one in so many, that must be free to
// make a WINDOW_UPDATE worth its frame. The peer can always have the rest in
// flight.
const updateShare = 4

// usedUpShare is the part of a window, one in so many, that a peer may leave unused when
// what it has to send does not fit.
const usedUpShare = 8

// What a loan is beyond the bytes that a reader waits for. A peer may pad every
// frame, and choose its frames as it likes: with credit for the bytes alone, one
// that always pads could never send the last of them.
const (
	// leastSpare is the most that padding adds to a frame: its length, and 255
	// bytes (RFC 9113 §6.1).
	leastSpare = 256
	// newSpare is lent at once, so that not every padded frame makes a
	// WINDOW_UPDATE.
	newSpare = 16 * leastSpare
)

// RecvWindow is how much DATA we allow the peer to send, on one stream or on
// the connection (RFC 9113 §6.9). Every byte is in one of three places:
//
//	credit   the peer may send it
//	held     it has arrived, and nobody has taken it yet
//	pending  it has been taken, but the peer has not been told
//
// and credit + held + pending = size + borrowed at all times, where borrowed is
// credit beyond the window that a waiting reader needed (see Demand), paid back
// from what is taken next. A method that returns an increment has moved that
// much to credit: unless it is 0, a WINDOW_UPDATE with it must be sent.
type RecvWindow struct {
	size, credit, held, pending, borrowed, demand int64
}

// MaxRecvWindow is the largest window in bytes that we give, and the largest
// Demand: their sum is legal.
const MaxRecvWindow = 1 << 30

// NewRecvWindow returns a window of size bytes, all of them the peer's to use:
// the SETTINGS_INITIAL_WINDOW_SIZE that we sent, or InitialWindow for the
// connection, to be followed by Grow.
func NewRecvWindow(size int) RecvWindow {
	n := min(int64(size), MaxRecvWindow)
	return RecvWindow{size: n, credit: n}
}

// Size is the window in bytes, without what has been borrowed.
func (w *RecvWindow) Size() int { return int(w.size) }

// Credit is how many bytes the peer may send now.
func (w *RecvWindow) Credit() int { return int(w.credit) }

// Held is how many bytes have been received and not released. When a stream
// goes, that much must be released on the connection.
func (w *RecvWindow) Held() int { return int(w.held) }

// UsedUp tells whether the peer has used up so much of the window that it may have had
// to stop.
func (w *RecvWindow) UsedUp() bool { return w.credit < w.size/usedUpShare }

// Receive is a DATA frame on the stream id, zero being the connection, of n
// flow-controlled bytes: frame.Data.Flow, padding included.
func (w *RecvWindow) Receive(id uint32, n int) error {
	if int64(n) > w.credit {
		// RFC 9113 §6.9.1: ends the stream, or with id 0 the connection.
		return streamError(frame.CodeFlowControl, id, "DATA exceeds the flow-control window")
	}
	w.credit -= int64(n)
	w.held += int64(n)
	return nil
}

// Release gives back n received bytes: taken by a reader, padding, or dropped.
// The increment is 0 until enough has come together, or a reader waits.
func (w *RecvWindow) Release(n int) (increment uint32) {
	taken := min(int64(n), w.held)
	w.held -= taken
	repaid := min(taken, w.borrowed)
	w.borrowed -= repaid
	w.pending += taken - repaid
	return w.settle()
}

// Demand says that readers wait for n bytes more than have arrived: that much
// credit there will be, even beyond the window, or a message larger than the
// window could never arrive. It stays in force: tell the new number after each
// DATA frame, and 0, which never returns an increment, when nobody waits. On
// the connection, n is the sum over its streams.
func (w *RecvWindow) Demand(n int) (increment uint32) {
	w.demand = min(max(int64(n), 0), MaxRecvWindow)
	return w.settle()
}

// Grow widens the window to size bytes, and returns by how much; a smaller size
// changes nothing. The increment may also be announced to all streams at once
// by SETTINGS_INITIAL_WINDOW_SIZE (RFC 9113 §6.9.2) and no WINDOW_UPDATE.
func (w *RecvWindow) Grow(size int) (increment uint32) {
	n := min(int64(size), MaxRecvWindow) - w.size
	if n <= 0 {
		return 0
	}
	w.size += n
	w.credit += n
	return uint32(n)
}

// settle decides whether what is pending is worth telling.
func (w *RecvWindow) settle() uint32 {
	short := w.short()
	if short <= 0 && (w.pending == 0 || w.pending < w.size/updateShare) {
		return 0
	}
	n := w.pending
	if short > n {
		w.borrowed += short - n
		n = short
	}
	w.pending = 0
	w.credit += n
	return uint32(n)
}

// short is how much credit a waiting reader lacks.
func (w *RecvWindow) short() int64 {
	if w.demand == 0 || w.credit >= min(w.demand+leastSpare, MaxRecvWindow) {
		return 0
	}
	return min(w.demand+newSpare, MaxRecvWindow) - w.credit
}
