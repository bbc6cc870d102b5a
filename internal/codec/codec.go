// Package codec is what the codecs of package encoding do, and what they could do
// for a caller who knows more of a message: that its size has just been asked for,
// that it is empty, or that nobody changes it for a while.
package codec

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
)

// vtMarshaler and vtUnmarshaler are what vtprotobuf generates.
type vtMarshaler interface {
	SizeVT() int
	MarshalToSizedBufferVT(b []byte) (int, error)
}

type vtUnmarshaler interface {
	Reset()
	UnmarshalVT(b []byte) error
}

// Size returns the size of the encoded message; zero if msg is none.
func Size(msg any) int {
	switch m := msg.(type) {
	case vtMarshaler:
		return m.SizeVT()
	case proto.Message:
		return proto.Size(m)
	default:
		return 0
	}
}

// Append appends the encoded message to dst.
func Append(dst []byte, msg any) ([]byte, error) {
	switch m := msg.(type) {
	case vtMarshaler:
		return appendVT(dst, m)
	case proto.Message:
		return proto.MarshalOptions{}.MarshalAppend(dst, m)
	default:
		return dst, notProto("encode", msg)
	}
}

// AppendSized is Append for a message whose Size has just been called, and which
// has not changed since: it need not find out the sizes of all its parts again.
func AppendSized(dst []byte, msg any) ([]byte, error) {
	if m, ok := msg.(proto.Message); ok {
		if _, vt := msg.(vtMarshaler); !vt {
			return proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(dst, m)
		}
	}
	return Append(dst, msg)
}

func appendVT(dst []byte, m vtMarshaler) ([]byte, error) {
	at, size := len(dst), m.SizeVT()
	dst = slices.Grow(dst, size)[:at+size]
	// It fills the buffer from its end, and says how much.
	n, err := m.MarshalToSizedBufferVT(dst[at:])
	if err == nil && n != size {
		err = fmt.Errorf("codec proto: %T says that it has %d bytes and encodes to %d: was it changed meanwhile?", m, size, n)
	}
	if err != nil {
		return dst[:at], err
	}
	return dst, nil
}

// Unmarshal decodes data into msg, replacing what it held.
func Unmarshal(data []byte, msg any) error {
	switch m := msg.(type) {
	case vtUnmarshaler:
		m.Reset()
		return m.UnmarshalVT(data)
	case proto.Message:
		return proto.Unmarshal(data, m)
	default:
		return notProto("decode into", msg)
	}
}

// UnmarshalNew is Unmarshal for a message that is empty: what it holds need not be
// cleared.
func UnmarshalNew(data []byte, msg any) error {
	switch m := msg.(type) {
	case vtUnmarshaler:
		return m.UnmarshalVT(data)
	case proto.Message:
		return proto.UnmarshalOptions{Merge: true}.Unmarshal(data, m)
	default:
		return notProto("decode into", msg)
	}
}

func notProto(verb string, msg any) error {
	return fmt.Errorf("codec proto cannot %s %T: it is not a proto.Message; choose another codec, or pass a pointer to a generated message", verb, msg)
}

// RawBytes returns the bytes that a message of [encoding.Raw] is.
func RawBytes(msg any) ([]byte, bool) {
	switch m := msg.(type) {
	case []byte:
		return m, true
	case *[]byte:
		if m != nil {
			return *m, true
		}
	}
	return nil, false
}
