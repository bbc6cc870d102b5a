// Package http2 carries streams over HTTP/2 (RFC 9113): one connection type
// with a role, for clients and servers.
//
// # Reading
//
// One goroutine at a time holds the reader's role. It borrows a buffer when the
// socket is readable, parses the complete frames in it (a turn), and gives the
// buffer back before it sleeps. Effects on others — waking a caller, starting a
// handler — are collected and happen at the end of the turn, when everything
// that arrived together has been seen. Usually it is the connection's own
// goroutine; a server's runs short handlers itself, and a receiver that waits
// alone reads for itself (see reading).
//
// # Writing
//
// There is no writer goroutine. Whoever sends appends frames to the
// connection's pending bytes, and if nobody is flushing, becomes the flusher:
// it yields once, so that its neighbours' frames join, and writes everything in
// one go. The reader never waits for the socket: what it must send (acks,
// credit) is handed to a flusher.
//
// # Locks
//
// Conn.mu guards everything but the reader's own state; streams have no lock of
// their own. No I/O and no code of the layers above run under it, except a
// [transport.Demand], which is a computation on bytes.
package http2
