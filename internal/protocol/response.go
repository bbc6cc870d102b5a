package protocol

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
)

// ResponseConfig is what a server's responses to the same kind of request have
// in common.
type ResponseConfig struct {
	// Subtype is the content-subtype of the request.
	Subtype string
	// Encoding compresses the response's messages; "" is none.
	Encoding string
	// AcceptEncoding lists, with commas, what may compress a request's
	// messages; "" sends no list.
	AcceptEncoding string
}

// AppendFields appends the fields that begin a response's header section.
func (c *ResponseConfig) AppendFields(dst []Field) []Field {
	dst = append(dst, Field{Name: nameContentType, Value: ContentType(c.Subtype)})
	if c.Encoding != "" {
		dst = append(dst, Field{Name: nameEncoding, Value: c.Encoding})
	}
	if c.AcceptEncoding != "" {
		dst = append(dst, Field{Name: nameAcceptEncoding, Value: c.AcceptEncoding})
	}
	return dst
}

// Lost says what AppendTrailer left out for want of room.
type Lost uint8

// What can be lost, in the order in which it is.
const (
	LostDetails Lost = 1 << iota
	LostMessage
	LostMetadata
)

// AppendTrailer appends the fields that end a response: the status (OK if st is
// nil) and the metadata. After a header section's fields it makes a
// Trailers-Only response.
//
// limit is the peer's SETTINGS_MAX_HEADER_LIST_SIZE for all of dst, a negative
// one is none. What would pass it is left out: the details first, then the end
// of the message, then the metadata. grpc-status always goes.
//
// The error is as of AppendMetadata, and then dst has the status but no
// metadata.
func AppendTrailer(dst []Field, st *status.Error, md metadata.MD, limit int) ([]Field, Lost, error) {
	dst = append(dst, Field{Name: nameStatus, Value: codeValue(st.Code())})
	if st == nil && len(md) == 0 {
		return dst, 0, nil
	}
	const unlimited = 1 << 40 // far more than memory has, far from overflow
	room := int64(unlimited)
	if limit >= 0 {
		room = int64(limit - statusPseudoSize - Size(dst))
	}
	var lost Lost
	var wire []Field
	var err error
	if len(md) > 0 {
		wire, err = AppendMetadata(make([]Field, 0, len(md)), md)
		if cost := int64(Size(wire)); cost <= room {
			room -= cost
		} else {
			wire, lost = nil, LostMetadata
		}
	}
	if st.Code() != status.OK {
		var left Lost
		dst, left = appendStatus(dst, st, room)
		lost |= left
	}
	return append(dst, wire...), lost, err
}

// appendStatus appends a status's message and details within room.
func appendStatus(dst []Field, st *status.Error, room int64) ([]Field, Lost) {
	var lost Lost
	if text := st.Message(); text != "" {
		space := min(max(0, room-int64(len(nameMessage))-fieldOverhead), maxMessage)
		wire, whole := EncodeMessage(text, int(space))
		if !whole {
			lost |= LostMessage
		}
		if wire != "" {
			f := Field{Name: nameMessage, Value: wire}
			dst = append(dst, f)
			room -= int64(fieldSize(&f))
		}
	}
	if len(st.Details()) == 0 {
		return dst, lost
	}
	f := Field{Name: nameDetails, Value: EncodeBinary(string(st.AppendProto(nil)))}
	if int64(fieldSize(&f)) > room {
		return dst, lost | LostDetails
	}
	return append(dst, f), lost
}

// codeValue returns the decimal digits of a code.
func codeValue(c status.Code) string {
	const digits = "0123456789"
	if c < status.Code(len(digits)) {
		return digits[c : c+1]
	}
	return strconv.FormatUint(uint64(c), 10)
}

// Response is a header or trailer section of a response, as a client parses
// it:
//
//	r.Start(httpStatus); r.Add(fields); r.Add(more)
//
// and then Header for a section that more follows, and Status for the last one.
type Response struct {
	// HTTPStatus is the :status. Give the header section's to the trailer
	// section too.
	HTTPStatus int
	// Encoding compresses the response's messages; "" is none.
	Encoding string
	// Metadata are the other fields, in order. It is nil without any.
	Metadata metadata.MD

	acceptEncoding string
	contentType    string
	code           string
	message        string
	details        string
	hasCode        bool
	joined         int
	failed         error
}

// Start begins with the response's :status.
func (r *Response) Start(httpStatus int) { *r = Response{HTTPStatus: httpStatus} }

// Add takes the section's next fields. It keeps their strings, not the slice.
func (r *Response) Add(fields []Field) {
	in := incoming{md: r.Metadata, joined: r.joined, err: r.failed}
	for i := range fields {
		f := &fields[i]
		switch f.Name {
		case nameContentType:
			r.contentType = f.Value
		case nameEncoding:
			r.Encoding = parseEncoding(f.Value)
		case nameAcceptEncoding:
			r.acceptEncoding = joinList(r.acceptEncoding, f.Value)
		case nameStatus:
			if !r.hasCode {
				r.code, r.hasCode = f.Value, true
			}
		case nameMessage:
			r.message = f.Value
		case nameDetails:
			r.details = f.Value
		default:
			in.add(f, len(fields)-i-1)
		}
	}
	r.Metadata, r.joined, r.failed = in.md, in.joined, in.err
}

// Fork returns a copy of r that can be added to while r, and other copies, stay
// as they are.
func (r *Response) Fork() Response {
	forked := *r
	forked.Metadata = fork(r.Metadata)
	return forked
}

// Accepts tells whether the server can read messages that encoding compresses.
func (r *Response) Accepts(encoding string) bool {
	return encoding == "" || encoding == Identity || listed(r.acceptEncoding, encoding)
}

// Header checks a header section that more follows. The error is a
// *status.Error, and the response is not gRPC's.
func (r *Response) Header() error {
	if _, ok := parseContentType(r.contentType); !ok || r.HTTPStatus != 200 {
		return r.notGRPC(true)
	}
	if r.failed != nil {
		return channelError(status.Internal, "the response's "+r.failed.Error(), r.failed)
	}
	return nil
}

// DropStatus forgets the status of a header section that turned out not to be the
// last one: its grpc-status means nothing ("Responses" of gRPC over HTTP/2).
func (r *Response) DropStatus() { r.hasCode = false }

// Status returns how the call ended, as its last section says: nil if OK. It
// also tells it of a header section that was the last (Trailers-Only), and of
// a Response with no fields at all, for a stream that ended without trailers.
func (r *Response) Status() error {
	if !r.hasCode {
		return r.notGRPC(false)
	}
	if r.code == "0" {
		if r.failed != nil {
			return channelError(status.Internal, "the response's "+r.failed.Error(), r.failed)
		}
		return nil
	}
	code, cause := parseCode(r.code)
	var details []*anypb.Any
	if r.details != "" {
		var err error
		if details, err = parseDetails(r.details); err != nil && cause == nil {
			cause = err
		}
	}
	return status.Make(status.FromPeer, code, DecodeMessage(r.message), details, cause)
}

// parseCode takes what is no code for Unknown, and then says so.
func parseCode(s string) (status.Code, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	code := status.Code(n)
	if err != nil || !code.Valid() || len(s) > 1 && s[0] == '0' || code == status.OK {
		return status.Unknown, &FieldError{Name: nameStatus, Problem: "of the peer is " + quoted(s) + ", which is no status code"}
	}
	return code, nil
}

// parseDetails reads grpc-status-details-bin. The code and the message in it
// repeat what the other fields say, and those count.
func parseDetails(wire string) ([]*anypb.Any, error) {
	first, _, _ := strings.Cut(wire, ",")
	b, err := DecodeBinary(first)
	if err != nil {
		return nil, fmt.Errorf("the peer's status details are not base64: %w", err)
	}
	p, err := status.ParseProto([]byte(b))
	if err != nil {
		return nil, fmt.Errorf("the peer's status details are lost: %w", err)
	}
	return p.Details, nil
}

// notGRPC is what to make of a response without a grpc-status
// (https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md).
func (r *Response) notGRPC(wantContentType bool) error {
	code := HTTPStatusToCode(r.HTTPStatus)
	_, ok := parseContentType(r.contentType)
	switch {
	case r.HTTPStatus != 200:
		return channelError(code, "the server, or a proxy before it, answered with the HTTP status "+strconv.Itoa(r.HTTPStatus)+" and no gRPC status", nil)
	case wantContentType && r.contentType == "":
		return channelError(code, "the response is not gRPC: it has no content-type", nil)
	case !ok && r.contentType != "":
		return channelError(code, "the response is not gRPC: its content-type is "+quoted(r.contentType), nil)
	default:
		return channelError(code, "the response ended without a grpc-status: perhaps a proxy before the server does not pass trailers on", nil)
	}
}

func channelError(code status.Code, text string, cause error) error {
	return status.Make(status.FromChannel, code, text, nil, cause)
}

// HTTPStatusToCode returns the code for a response's :status when it has no
// grpc-status. Servers must not use it the other way round. 431 is not in it, as
// it is not in other implementations (docs/adr/0009-431-is-unknown.md).
func HTTPStatusToCode(httpStatus int) status.Code {
	switch httpStatus {
	case 400:
		return status.Internal
	case 401:
		return status.Unauthenticated
	case 403:
		return status.PermissionDenied
	case 404:
		return status.Unimplemented
	case 429, 502, 503, 504:
		return status.Unavailable
	default:
		return status.Unknown
	}
}
