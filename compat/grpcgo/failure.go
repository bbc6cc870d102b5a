package grpcgo

import (
	"errors"
	"io"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/yodelrpc/yodel/status"
)

// callError is the status of a call as both libraries know it: grpc-go's by
// GRPCStatus and by its text, Yodel's, with its local cause, by Unwrap.
type callError struct {
	grpc *grpcstatus.Status
	err  error
}

func (e *callError) Error() string { return e.grpc.Err().Error() }

// GRPCStatus is what grpc-go's status.FromError and status.Code look for.
func (e *callError) GRPCStatus() *grpcstatus.Status { return e.grpc }

func (e *callError) Unwrap() error { return e.err }

// Is tells whether target is an error of grpc-go's with an equal status.
func (e *callError) Is(target error) bool { return errors.Is(e.grpc.Err(), target) }

// toGRPC returns an error of Yodel's as grpc-go's callers expect it. io.EOF and
// nil stay what they are.
func toGRPC(err error) error {
	if err == nil || errors.Is(err, io.EOF) || isGRPC(err) {
		return err
	}
	var e *status.Error
	if !errors.As(err, &e) {
		if code := status.CodeOf(err); code != status.Unknown {
			return &callError{grpcstatus.New(codes.Code(code), err.Error()), err}
		}
		return &callError{grpcstatus.New(codes.Unknown, err.Error()), err}
	}
	message := e.Message()
	if cause := errors.Unwrap(e); cause != nil && !e.FromPeer() {
		// grpc-go says the cause in the text.
		message += ": " + cause.Error()
	}
	return &callError{grpcstatus.FromProto(&spb.Status{
		Code: int32(e.Code()), Message: message, Details: e.Details(),
	}), err}
}

// fromHandler returns what a handler written for grpc-go returned, so that the
// peer sees what grpc-go would show it: the text of every error, and the status
// that a call to somebody else returned. A status of Yodel's own follows
// Yodel's rules.
func fromHandler(err error) error {
	if err == nil {
		return nil
	}
	// The outermost status counts, whichever library made it.
	for e := err; e != nil && !isGRPC(e); e = errors.Unwrap(e) {
		switch e.(type) { //nolint:errorlint // each error of the chain by itself
		case *status.Error, status.Code:
			return err
		}
	}
	if s, ok := grpcstatus.FromError(err); ok {
		return newStatus(s, err)
	}
	return newStatus(grpcstatus.FromContextError(err), err)
}

// isGRPC tells whether err itself, not what it wraps, is a status of grpc-go's.
func isGRPC(err error) bool {
	_, ok := err.(interface{ GRPCStatus() *grpcstatus.Status })
	return ok
}

func newStatus(s *grpcstatus.Status, cause error) error {
	if s.Code() == codes.OK {
		// An error whose status is OK is still an error.
		s = grpcstatus.New(codes.Unknown, cause.Error())
	}
	return status.Make(status.FromProgram, status.Code(s.Code()), s.Message(), s.Proto().GetDetails(), cause)
}

// unsupported is for what a caller asked for and cannot have.
func unsupported(text string) error {
	return grpcstatus.Error(codes.Unimplemented, "grpcgo: "+text)
}

func misused(text string) error {
	return grpcstatus.Error(codes.Internal, "grpcgo: "+text)
}
