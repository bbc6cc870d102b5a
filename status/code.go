package status

import "strconv"

// Code says how a call ended. The numbers are those of the wire
// (https://grpc.github.io/grpc/core/md_doc_statuscodes.html).
//
// A Code is an error, so that it can be asked for:
//
//	if errors.Is(err, status.NotFound) { ... }
//
// A handler may return one as it is; the peer then gets no text. OK is not a
// failure: return nil instead.
type Code uint32

// The codes that gRPC knows.
const (
	OK                 Code = 0
	Canceled           Code = 1
	Unknown            Code = 2
	InvalidArgument    Code = 3
	DeadlineExceeded   Code = 4
	NotFound           Code = 5
	AlreadyExists      Code = 6
	PermissionDenied   Code = 7
	ResourceExhausted  Code = 8
	FailedPrecondition Code = 9
	Aborted            Code = 10
	OutOfRange         Code = 11
	Unimplemented      Code = 12
	Internal           Code = 13
	Unavailable        Code = 14
	DataLoss           Code = 15
	Unauthenticated    Code = 16
)

// codeNames are spelled as in the gRPC documents, "CANCELLED" with two L too.
var codeNames = [...]string{
	OK:                 "OK",
	Canceled:           "CANCELLED",
	Unknown:            "UNKNOWN",
	InvalidArgument:    "INVALID_ARGUMENT",
	DeadlineExceeded:   "DEADLINE_EXCEEDED",
	NotFound:           "NOT_FOUND",
	AlreadyExists:      "ALREADY_EXISTS",
	PermissionDenied:   "PERMISSION_DENIED",
	ResourceExhausted:  "RESOURCE_EXHAUSTED",
	FailedPrecondition: "FAILED_PRECONDITION",
	Aborted:            "ABORTED",
	OutOfRange:         "OUT_OF_RANGE",
	Unimplemented:      "UNIMPLEMENTED",
	Internal:           "INTERNAL",
	Unavailable:        "UNAVAILABLE",
	DataLoss:           "DATA_LOSS",
	Unauthenticated:    "UNAUTHENTICATED",
}

// Valid tells whether c is one of the codes above.
func (c Code) Valid() bool { return int64(c) < int64(len(codeNames)) }

// String returns the code's name as the gRPC documents spell it, such as
// "NOT_FOUND", and "CODE(n)" for a number that is no code.
func (c Code) String() string {
	if c.Valid() {
		return codeNames[c]
	}
	return "CODE(" + strconv.FormatUint(uint64(c), 10) + ")"
}

// Error returns the same as String.
func (c Code) Error() string { return c.String() }
