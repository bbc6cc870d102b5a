package main

import (
	"context"

	"github.com/yodelrpc/yodel/transport"
)

// patientListener hands a stream to the server when its request has ended.
//
// h2spec's requests are not gRPC's, and the server refuses them as soon as it has
// their headers. That ends their streams, and frames that come afterwards may be
// ignored (RFC 9113 §5.1): whether a fault in them is seen would be a matter of
// who is faster.
type patientListener struct{ transport.Listener }

// Serve implements transport.Listener.
func (l patientListener) Serve(h transport.Handler) error {
	return l.Listener.Serve(patientHandler{h})
}

type patientHandler struct{ transport.Handler }

// ServeStream implements transport.Handler.
func (p patientHandler) ServeStream(s transport.Stream, h *transport.Header) {
	everything := func(buffered []byte) int { return len(buffered) + 1 }
	if _, _, err := s.Await(context.Background(), everything); err != nil {
		// The stream has ended, and Close finds nothing else to do.
		s.Close()
		return
	}
	p.Handler.ServeStream(s, h)
}
