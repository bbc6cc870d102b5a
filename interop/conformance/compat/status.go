package compat

import (
	"errors"

	"github.com/yodelrpc/yodel/interop/conformance/conformancepb"
	"github.com/yodelrpc/yodel/status"
	"google.golang.org/protobuf/proto"
)

// Status returns the error that the suite describes, with more details.
func Status(described *conformancepb.Error, more ...proto.Message) error {
	details := make([]proto.Message, 0, len(described.GetDetails())+len(more))
	for _, detail := range described.GetDetails() {
		details = append(details, detail)
	}
	return status.New(status.Code(described.GetCode()), described.GetMessage(), append(details, more...)...)
}

// Error describes a call's error to the suite; nil for nil.
func Error(err error) *conformancepb.Error {
	if err == nil {
		return nil
	}
	text := err.Error()
	described := &conformancepb.Error{Code: conformancepb.Code(status.CodeOf(err)), Message: &text}
	if e, ok := errors.AsType[*status.Error](err); ok {
		text = e.Message()
		described.Details = e.Details()
	}
	return described
}
