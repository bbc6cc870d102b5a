package protocol

import (
	"errors"
	"strconv"
	"strings"

	"github.com/yodelrpc/yodel/metadata"
)

// Field is one header field in its wire form.
type Field = metadata.Field

// fieldOverhead is what a field costs beside its bytes (RFC 9113 §6.5.2).
const fieldOverhead = 32

// statusPseudoSize is what ":status: 200" costs.
const statusPseudoSize = len(":status") + len("200") + fieldOverhead

// maxJoined is how many values one section's joined -bin fields may be split
// into: a comma costs a peer one byte, and a value us forty.
const maxJoined = 128

// The names of gRPC's own fields.
const (
	nameContentType    = "content-type"
	nameTE             = "te"
	nameUserAgent      = "user-agent"
	nameTimeout        = "grpc-timeout"
	nameEncoding       = "grpc-encoding"
	nameAcceptEncoding = "grpc-accept-encoding"
	nameStatus         = "grpc-status"
	nameMessage        = "grpc-message"
	nameDetails        = "grpc-status-details-bin"
)

// Size returns what fields count against SETTINGS_MAX_HEADER_LIST_SIZE
// (RFC 9113 §6.5.2), in bytes.
func Size(fields []Field) int {
	n := 0
	for i := range fields {
		n += fieldSize(&fields[i])
	}
	return n
}

func fieldSize(f *Field) int { return len(f.Name) + len(f.Value) + fieldOverhead }

// FieldError is metadata that this program may not send.
type FieldError struct {
	// Name is the field's.
	Name string
	// Problem completes a sentence that begins with the field.
	Problem string
}

func (e *FieldError) Error() string {
	return "metadata field " + quoted(e.Name) + " " + e.Problem
}

// quoted quotes at most 64 bytes of a name that can be anything.
func quoted(name string) string {
	const most = 64
	if len(name) > most {
		return strconv.Quote(name[:most]) + "..."
	}
	return strconv.Quote(name)
}

// CheckMetadata returns a *FieldError for the first field that may not be sent
// as metadata: RFC 9113 §8.2 and PROTOCOL-HTTP2 Custom-Metadata say which.
func CheckMetadata(md metadata.MD) error {
	for i := range md {
		if problem := checkName(md[i].Name); problem != "" {
			return &FieldError{Name: md[i].Name, Problem: problem}
		}
		if isBinary(md[i].Name) {
			continue
		}
		if problem := checkValue(md[i].Value); problem != "" {
			return &FieldError{Name: md[i].Name, Problem: problem}
		}
	}
	return nil
}

// AppendMetadata appends md in its wire form. The error is CheckMetadata's, and
// then dst comes back as it was.
func AppendMetadata(dst []Field, md metadata.MD) ([]Field, error) {
	if err := CheckMetadata(md); err != nil {
		return dst, err
	}
	for i := range md {
		f := md[i]
		if isBinary(f.Name) {
			f.Value = EncodeBinary(f.Value)
		}
		dst = append(dst, f)
	}
	return dst, nil
}

// nameBytes marks what PROTOCOL-HTTP2 allows in a Header-Name.
var nameBytes = [256]bool{
	'-': true, '.': true, '_': true,
	'0': true, '1': true, '2': true, '3': true, '4': true,
	'5': true, '6': true, '7': true, '8': true, '9': true,
	'a': true, 'b': true, 'c': true, 'd': true, 'e': true, 'f': true, 'g': true,
	'h': true, 'i': true, 'j': true, 'k': true, 'l': true, 'm': true, 'n': true,
	'o': true, 'p': true, 'q': true, 'r': true, 's': true, 't': true, 'u': true,
	'v': true, 'w': true, 'x': true, 'y': true, 'z': true,
}

func checkName(name string) string {
	if name == "" {
		return "has no name"
	}
	if name[0] == ':' {
		return "is a pseudo-header, which the transport sets"
	}
	for i := range len(name) {
		if !nameBytes[name[i]] {
			return "has a character in its name that is none of a-z, 0-9, '-', '_' and '.'"
		}
	}
	if strings.HasPrefix(name, "grpc-") {
		return "is reserved: names that begin with grpc- belong to the protocol"
	}
	switch name {
	case nameContentType:
		return "is reserved: the codec decides it"
	case nameUserAgent:
		return "is reserved: set the user agent in the channel's configuration"
	case nameTE, "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return "is reserved: it is about the connection (RFC 9113 §8.2.2)"
	case "host":
		return "is reserved: set the authority instead"
	case "content-length":
		return "is reserved: a stream's length is not known when it begins"
	}
	return ""
}

func checkValue(value string) string {
	for i := range len(value) {
		if value[i] < 0x20 || value[i] > 0x7e {
			return "has a byte in its value that is not printable ASCII: give it a name that ends in -bin, or encode the value"
		}
	}
	// RFC 9113 §8.2.1 makes a peer refuse the whole stream for it.
	if value != "" && (value[0] == ' ' || value[len(value)-1] == ' ') {
		return "has a space at the start or the end of its value: trim it"
	}
	return ""
}

var errTooManyValues = errors.New("there are more than " + strconv.Itoa(maxJoined) + " values in joined -bin fields")

// incoming collects the custom metadata of one section that was received. It
// allocates nothing while there is none.
type incoming struct {
	md     metadata.MD
	joined int
	err    error // the first
}

// add takes one field; more is how many fields of the section may follow.
func (in *incoming) add(f *Field, more int) {
	if in.md == nil {
		in.md = make(metadata.MD, 0, more+1)
	}
	if !isBinary(f.Name) {
		in.md = append(in.md, *f)
		return
	}
	rest := f.Value
	for {
		value, after, more := strings.Cut(rest, ",")
		decoded, err := DecodeBinary(strings.TrimSpace(value))
		if err != nil {
			in.fail(&FieldError{Name: f.Name, Problem: "is not base64: " + err.Error()})
			return
		}
		in.md = append(in.md, Field{Name: f.Name, Value: decoded, Sensitive: f.Sensitive})
		if !more {
			return
		}
		if in.joined++; in.joined >= maxJoined {
			in.fail(errTooManyValues)
			return
		}
		rest = after
	}
}

func (in *incoming) fail(err error) {
	if in.err == nil {
		in.err = err
	}
}

// fork copies md, which the program may change, with room for some more.
func fork(md metadata.MD) metadata.MD {
	if md == nil {
		return nil
	}
	const more = 4
	return append(make(metadata.MD, 0, len(md)+more), md...)
}

// listed tells whether a comma-separated list has name in it.
func listed(list, name string) bool {
	for list != "" {
		var item string
		item, list, _ = strings.Cut(list, ",")
		if strings.TrimSpace(item) == name {
			return true
		}
	}
	return false
}

// joinList joins two comma-separated lists.
func joinList(a, b string) string {
	if a == "" {
		return b
	}
	return a + "," + b
}
