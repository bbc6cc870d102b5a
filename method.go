package yodel

import (
	"strconv"

	"github.com/yodelrpc/yodel/internal/protocol"
	"github.com/yodelrpc/yodel/status"
)

// SupportsGenerated1 is named by generated code, so that code which is newer
// than this package does not compile instead of failing later.
const SupportsGenerated1 = true

// Kind is how many messages each side of a method's calls sends.
type Kind uint8

// The four kinds.
const (
	// UnaryKind is one message each way.
	UnaryKind Kind = iota
	// ClientStreamKind is any number of requests and one response.
	ClientStreamKind
	// ServerStreamKind is one request and any number of responses.
	ServerStreamKind
	// BidiStreamKind is any number each way, in any order.
	BidiStreamKind
)

var kindNames = [...]string{
	UnaryKind:        "unary",
	ClientStreamKind: "client stream",
	ServerStreamKind: "server stream",
	BidiStreamKind:   "bidi stream",
}

// String returns "unary", "client stream", "server stream" or "bidi stream".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// oneRequest tells whether a call of this kind has exactly one request.
func (k Kind) oneRequest() bool { return k == UnaryKind || k == ServerStreamKind }

// oneResponse tells whether a call of this kind that ends well has exactly one
// response.
func (k Kind) oneResponse() bool { return k == UnaryKind || k == ClientStreamKind }

// Method describes one method of a service. Generated code holds one value for
// each; it must not change once it is in use, and must be used by its address:
// channels remember what they have worked out for it.
type Method struct {
	// Service is the full name of the service, as in "pkg.Service".
	Service string
	// Name is the method's own name.
	Name string
	// Kind is how many messages its calls have.
	Kind Kind
	// NoSideEffects and Idempotent are the idempotency_level of the .proto.
	NoSideEffects, Idempotent bool
}

// Path returns "/pkg.Service/Name", which is what identifies a method on the
// wire.
func (m *Method) Path() string { return "/" + m.Service + "/" + m.Name }

// check tells whether the method's names can be sent and received.
func (m *Method) check() error {
	var r protocol.Request
	r.Start("POST", m.Path())
	r.Add(grpcContentType)
	if err := r.Finish(); err != nil {
		return err
	}
	if r.Service != m.Service || r.Method != m.Name {
		return status.Make(status.FromChannel, status.Internal, "the method's name holds a '/'", nil, nil)
	}
	return nil
}

var grpcContentType = []protocol.Field{{Name: "content-type", Value: "application/grpc"}}

// Unimplemented returns the UNIMPLEMENTED status of a method that a server
// leaves out.
func Unimplemented(m *Method) error {
	return status.New(status.Unimplemented, "method "+m.Path()+" is not implemented")
}
