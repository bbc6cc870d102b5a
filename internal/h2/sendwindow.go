package h2

import "github.com/yodelrpc/yodel/internal/frame"

const (
	// MaxWindow is the largest flow-control window in bytes (RFC 9113 §6.9.1).
	MaxWindow = 1<<31 - 1
	// InitialWindow is every window in bytes before the first SETTINGS, and the
	// connection's even after it (RFC 9113 §6.9.2).
	InitialWindow = 65535
)

// SendWindow is how much DATA the peer allows us to send, on one stream or on
// the connection (RFC 9113 §6.9).
type SendWindow struct {
	// n may be negative after the peer lowered its initial window. 64 bits
	// hold any sum that the checks below compare.
	n int64
}

// NewSendWindow returns a window of size bytes: the peer's
// SETTINGS_INITIAL_WINDOW_SIZE, or InitialWindow for the connection.
func NewSendWindow(size uint32) SendWindow { return SendWindow{int64(size)} }

// Available is how many bytes may be sent now, never negative. On a stream,
// ask the connection's window too.
func (w *SendWindow) Available() int { return int(max(w.n, 0)) }

// Take counts n bytes as sent; n must be at most Available.
func (w *SendWindow) Take(n int) { w.n -= int64(n) }

// Add is WINDOW_UPDATE received on the stream id, zero being the connection.
func (w *SendWindow) Add(id, increment uint32) error {
	if w.n+int64(increment) > MaxWindow {
		// RFC 9113 §6.9.1: ends the stream, or with id 0 the connection.
		return streamError(frame.CodeFlowControl, id, "WINDOW_UPDATE lifts the window above 2^31-1")
	}
	w.n += int64(increment)
	return nil
}

// Shift is a change of the peer's SETTINGS_INITIAL_WINDOW_SIZE by delta, which
// moves the window of every stream, if need be below zero (RFC 9113 §6.9.2).
// The connection's window does not move.
func (w *SendWindow) Shift(delta int64) error {
	if w.n+delta > MaxWindow {
		return connectionError(frame.CodeFlowControl, "SETTINGS_INITIAL_WINDOW_SIZE lifts a window above 2^31-1")
	}
	w.n += delta
	return nil
}
