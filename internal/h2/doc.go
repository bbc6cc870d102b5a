// Package h2 holds the rules of an HTTP/2 connection (RFC 9113) as pure state
// machines: stream states, stream identifiers, flow-control windows, settings,
// GOAWAY, header blocks and fields, and the limits that bound what a peer can
// make us do. They are fed with frames and answer with decisions.
//
// Nothing here does I/O, starts a goroutine, takes a lock or reads a clock:
// time comes in as an argument. No type is safe for concurrent use unless it
// says so; the connection that owns one guards it.
//
// An error that the peer caused is a [*frame.Error], which says whether the
// stream or the connection ends, or a [*FieldError].
package h2

import "github.com/yodelrpc/yodel/internal/frame"

// Role says which end of a connection we, or a peer, are.
type Role uint8

// The two ends.
const (
	Client Role = iota
	Server
)

// String returns "client" or "server".
func (r Role) String() string {
	if r == Client {
		return "client"
	}
	return "server"
}

// Peer returns the other end.
func (r Role) Peer() Role { return r ^ 1 }

func connectionError(code frame.Code, text string) error {
	return &frame.Error{Code: code, Text: text}
}

func streamError(code frame.Code, id uint32, text string) error {
	return &frame.Error{Code: code, StreamID: id, Text: text}
}
