package h2

import (
	"strconv"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/metadata"
)

// FieldError is a header or trailer section that breaks the rules of HTTP (RFC
// 9113 §8.1.1, malformed).
type FieldError struct {
	// Name is the field, as the peer wrote it; empty if it is about the whole.
	Name string
	// Text says what is wrong.
	Text string
	// Status is an HTTP status that a server can answer with instead of a reset;
	// zero if a reset is all that is due.
	Status int
}

// maxShownName is how much of a name that a peer chose an error shows.
const maxShownName = 64

// Error quotes the name and cuts it.
func (e *FieldError) Error() string {
	if e.Name == "" {
		return "malformed header section: " + e.Text
	}
	return "malformed header section: field " + strconv.QuoteToASCII(e.Name[:min(len(e.Name), maxShownName)]) + " " + e.Text
}

// OnStream is the stream error that e is.
func (e *FieldError) OnStream(id uint32) error {
	return streamError(frame.CodeProtocol, id, e.Error())
}

func malformed(name, text string) error { return &FieldError{Name: name, Text: text} }

func badRequest(name, text string) error { return &FieldError{Name: name, Text: text, Status: 400} }

// Classes of bytes. A byte of a string is good for a use if its class has the
// bit of that use.
const (
	inName      = 1 << iota // RFC 9110 §5.1 token in lower case (RFC 9113 §8.2.1)
	inToken                 // RFC 9110 §5.6.2
	inValue                 // RFC 9110 §5.5
	inPath                  // visible ASCII without '#' (RFC 3986 §3.3, §3.4)
	inAuthority             // visible ASCII without '@' and what ends an authority
	inScheme                // RFC 3986 §3.1
	inDigits
)

var classes = classTable()

func classTable() (t [256]uint8) {
	for i := range t {
		c := byte(i)
		digit := c >= '0' && c <= '9'
		lower := c >= 'a' && c <= 'z'
		upper := c >= 'A' && c <= 'Z'
		mark := isTokenMark(c)
		visible := c > ' ' && c < 0x7f
		set := func(bit uint8, is bool) {
			if is {
				t[i] |= bit
			}
		}
		set(inName, digit || lower || mark)
		set(inToken, digit || lower || upper || mark)
		set(inValue, c == '\t' || c == ' ' || visible || c >= 0x80)
		set(inPath, visible && c != '#')
		set(inAuthority, visible && c != '@' && c != '?' && c != '#' && c != '\\')
		set(inScheme, digit || lower || upper || c == '+' || c == '-' || c == '.')
		set(inDigits, digit)
	}
	return t
}

func isTokenMark(c byte) bool {
	switch c {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~':
		return true
	}
	return false
}

// all tells whether every byte of s is good for use. It looks at every byte
// before it decides: a loop without a branch is quicker, and bad ones are rare.
func all(s string, use uint8) bool {
	good := use
	for i := range len(s) {
		good &= classes[s[i]]
	}
	return good != 0
}

// checkField checks a regular field of a message or of its trailers.
//
// Spaces around a value break RFC 9113 §8.2.1, but a grpc-message, which gRPC
// does not encode further, may well end in one: they are let pass as they are.
func checkField(f *metadata.Field) error {
	if f.Name == "" || !all(f.Name, inName) {
		return malformed(f.Name, "has a name that is empty, upper-case or not a token (RFC 9113 §8.2.1)")
	}
	if !all(f.Value, inValue) {
		return malformed(f.Name, "has a control character in its value (RFC 9113 §8.2.1)")
	}
	switch f.Name {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		return malformed(f.Name, "belongs to a connection (RFC 9113 §8.2.2)")
	case "te":
		if f.Value != "trailers" {
			return malformed(f.Name, "is not \"trailers\" (RFC 9113 §8.2.2)")
		}
	}
	return nil
}

// isPseudo tells a pseudo-header field by its name.
func isPseudo(name string) bool { return len(name) > 0 && name[0] == ':' }

// contentLength reads a content-length; -1 is absent. It must be there once
// (RFC 9110 §8.6) and in plain digits.
func contentLength(f *metadata.Field, before int64) (int64, error) {
	if before >= 0 {
		return 0, malformed(f.Name, "occurs twice")
	}
	if f.Value == "" || !all(f.Value, inDigits) {
		return 0, malformed(f.Name, "is not a number")
	}
	n, err := strconv.ParseInt(f.Value, 10, 64)
	if err != nil {
		return 0, malformed(f.Name, "is out of range")
	}
	return n, nil
}

// CheckTrailers checks a trailer section: no pseudo-header fields (RFC 9113
// §8.1). The error is a *FieldError.
func CheckTrailers(fields []metadata.Field) error {
	for i := range fields {
		if isPseudo(fields[i].Name) {
			return malformed(fields[i].Name, "in trailers (RFC 9113 §8.1)")
		}
		if err := checkField(&fields[i]); err != nil {
			return err
		}
	}
	return nil
}
