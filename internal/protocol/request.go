package protocol

import (
	"strconv"
	"strings"
	"time"

	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
)

// RequestConfig is what a client's requests have in common.
type RequestConfig struct {
	// Subtype is the content-subtype: the codec's name, or "".
	Subtype string
	// UserAgent is what UserAgent returned; "" sends none.
	UserAgent string
	// Encoding compresses the request's messages; "" is none.
	Encoding string
	// AcceptEncoding lists, with commas, what may compress the response's
	// messages; "" is none.
	AcceptEncoding string
}

// AppendFields appends the fields that are the same in each request. What
// AppendRequest appends goes after them.
func (c *RequestConfig) AppendFields(dst []Field) []Field {
	dst = append(dst,
		Field{Name: nameTE, Value: "trailers"},
		Field{Name: nameContentType, Value: ContentType(c.Subtype)})
	if c.UserAgent != "" {
		dst = append(dst, Field{Name: nameUserAgent, Value: c.UserAgent})
	}
	if c.Encoding != "" {
		dst = append(dst, Field{Name: nameEncoding, Value: c.Encoding})
	}
	if c.AcceptEncoding != "" {
		dst = append(dst, Field{Name: nameAcceptEncoding, Value: c.AcceptEncoding})
	}
	return dst
}

// NoTimeout is the timeout of a call without a deadline.
const NoTimeout time.Duration = -1

// AppendRequest appends the fields of one request: its timeout, unless that is
// negative, and its metadata. The timeout is not among the fields that repeat
// because it hardly ever does. The error is as of AppendMetadata.
func AppendRequest(dst []Field, timeout time.Duration, md metadata.MD) ([]Field, error) {
	if timeout >= 0 {
		dst = append(dst, TimeoutField(timeout))
	}
	if len(md) == 0 {
		return dst, nil
	}
	return AppendMetadata(dst, md)
}

// UserAgent returns the user agent of this library at version, after a prefix
// of the program's own if that is not empty (PROTOCOL-HTTP2, User Agents). The
// prefix must be printable ASCII; the error is a *FieldError.
func UserAgent(prefix, version string) (string, error) {
	own := "grpc-go-yodel/" + version
	if prefix == "" {
		return own, nil
	}
	if problem := checkValue(prefix); problem != "" {
		return "", &FieldError{Name: nameUserAgent, Problem: problem}
	}
	return prefix + " " + own, nil
}

// Request is the header section of a call, as a server parses it:
//
//	r.Start(method, path); r.Add(fields); r.Add(more); err := r.Finish()
//
// The fields must not be looked at before Finish has returned nil.
type Request struct {
	// Path is the :path, "/service/method", and Service and Method its two
	// halves, exactly as they were sent.
	Path, Service, Method string
	// Subtype is the content-subtype in lower case; "" if none was sent.
	Subtype string
	// Timeout is the call's; NoTimeout if none was sent, zero if it has passed.
	Timeout time.Duration
	// Encoding compresses the request's messages; "" is none.
	Encoding string
	// UserAgent is the peer's.
	UserAgent string
	// Metadata are the other fields, in order, with names of gRPC's own that
	// mean nothing here (grpc-trace-bin) among them. It is nil without any.
	Metadata metadata.MD

	acceptEncoding string
	timeout        string
	contentType    string
	httpMethod     string
	seen           seenFields
	joined         int
	failed         error
}

// seenFields marks fields that may come only once.
type seenFields uint8

const (
	seenContentType seenFields = 1 << iota
	seenTimeout
	seenEncoding
	seenTwice
)

func (s *seenFields) mark(f seenFields) {
	if *s&f != 0 {
		f |= seenTwice
	}
	*s |= f
}

// Start begins with a request's :method and :path.
func (r *Request) Start(method, path string) {
	*r = Request{Path: path, httpMethod: method, Timeout: NoTimeout}
}

// Add takes the section's next fields. It keeps their strings, not the slice.
func (r *Request) Add(fields []Field) {
	in := incoming{md: r.Metadata, joined: r.joined, err: r.failed}
	for i := range fields {
		f := &fields[i]
		switch f.Name {
		case nameTE:
			// Its use is to show broken proxies; grpc-go and others accept
			// requests without it, so nothing can depend on it.
		case nameContentType:
			r.contentType = f.Value
			r.seen.mark(seenContentType)
		case nameUserAgent:
			r.UserAgent = f.Value
		case nameTimeout:
			r.timeout = f.Value
			r.seen.mark(seenTimeout)
		case nameEncoding:
			r.Encoding = parseEncoding(f.Value)
			r.seen.mark(seenEncoding)
		case nameAcceptEncoding:
			r.acceptEncoding = joinList(r.acceptEncoding, f.Value)
		default:
			in.add(f, len(fields)-i-1)
		}
	}
	r.Metadata, r.joined, r.failed = in.md, in.joined, in.err
}

// Fork returns a copy of r that can be added to while r, and other copies, stay
// as they are. A server that sees the same fields again adds them once and
// forks.
func (r *Request) Fork() Request {
	forked := *r
	forked.Metadata = fork(r.Metadata)
	return forked
}

// Finish checks what was added. The error is a *Rejection if the request is not
// gRPC, and else a *status.Error for the call.
func (r *Request) Finish() error {
	if r.httpMethod != "POST" {
		return rejectMethod
	}
	subtype, ok := parseContentType(r.contentType)
	if !ok {
		return rejectContentType
	}
	r.Subtype = subtype
	if r.Service, r.Method, ok = splitPath(r.Path); !ok {
		return malformedPath(r.Path)
	}
	if r.seen&seenTwice != 0 {
		return internal("one of the fields content-type, grpc-timeout and grpc-encoding occurs twice", nil)
	}
	if r.failed != nil {
		return internal(r.failed.Error(), r.failed)
	}
	if r.seen&seenTimeout != 0 {
		timeout, err := ParseTimeout(r.timeout)
		if err != nil {
			return internal(err.Error(), err)
		}
		r.Timeout = timeout
	}
	return nil
}

// Accepts tells whether the client can read messages that encoding compresses.
// It can always read uncompressed ones.
func (r *Request) Accepts(encoding string) bool {
	return encoding == "" || encoding == Identity || listed(r.acceptEncoding, encoding)
}

// splitPath splits "/service/method" into its halves. It takes nothing that a
// proxy, a router and an access rule could read in different ways: each half
// has one byte at least and only visible ASCII, without '/', '?', '#', '%' and
// '\', and is not "." or "..".
func splitPath(path string) (service, method string, ok bool) {
	if path == "" || path[0] != '/' {
		return "", "", false
	}
	slash := strings.IndexByte(path[1:], '/') + 1
	service, method = path[1:max(slash, 1)], path[slash+1:]
	return service, method, slash > 0 && isPathPart(service) && isPathPart(method)
}

func isPathPart(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ' || c > '~':
			return false
		case c == '/' || c == '?' || c == '#' || c == '%' || c == '\\':
			return false
		}
	}
	return s != "" && s != "." && s != ".."
}

func malformedPath(path string) error {
	return status.Make(status.FromProgram, status.Unimplemented,
		"the path "+quoted(path)+" names no method: want /service/method", nil, nil)
}

// internal is for what PROTOCOL-HTTP2 does not allow in a request that is
// gRPC's. Answered in gRPC's own way rather than with an HTTP status, it shows
// its text to the client's user.
func internal(text string, cause error) error {
	return status.Make(status.FromProgram, status.Internal, text, nil, cause)
}

// Rejection is the answer to a request that is not gRPC: an HTTP status, and a
// line of text for whoever tries with a browser or curl.
type Rejection struct {
	// HTTPStatus is 405 or 415.
	HTTPStatus int
	// Text is the body, with a newline at its end.
	Text string
	// Fields are the header fields. They must not be changed.
	Fields []Field
}

func (r *Rejection) Error() string { return strings.TrimSuffix(r.Text, "\n") }

var (
	rejectMethod = newRejection(405,
		"This is a gRPC server: it takes POST requests only, from gRPC clients.\n",
		Field{Name: "allow", Value: "POST"})
	rejectContentType = newRejection(415,
		"This is a gRPC server: it takes requests with content-type application/grpc only, from gRPC clients.\n",
		Field{Name: "accept-post", Value: contentTypeGRPC})
)

func newRejection(code int, text string, field Field) *Rejection {
	return &Rejection{HTTPStatus: code, Text: text, Fields: []Field{
		{Name: nameContentType, Value: "text/plain; charset=utf-8"},
		{Name: "content-length", Value: strconv.Itoa(len(text))},
		field,
	}}
}
