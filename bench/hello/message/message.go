// Package message is what the hello clients send: a message of protobuf's own,
// so that no stack's generated code is linked into another's client.
package message

import "google.golang.org/protobuf/types/known/wrapperspb"

// The method that they call.
const (
	Service = "hello.Greeter"
	Name    = "Greet"
	Path    = "/" + Service + "/" + Name
)

// New returns a message.
func New(text string) *wrapperspb.StringValue { return wrapperspb.String(text) }
