// Package encoding turns messages into bytes, and large bytes into fewer.
//
// A [Codec] and a [Compressor] are values that a channel's and a server's
// configuration list; there is no registry. The codecs here are [Proto], the
// default, [JSON] and [Raw]; the compressor is [Gzip].
package encoding

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Codec encodes and decodes messages. All methods must be safe for concurrent
// use.
type Codec interface {
	// Name is the content-subtype, as in application/grpc+proto: lower-case
	// letters, digits, and any of "-_.".
	Name() string
	// Size returns about how many bytes Append will append, so that a buffer
	// of the right size is at hand; zero if it would cost much to know.
	Size(msg any) int
	// Append appends the encoded message to dst. It keeps neither.
	Append(dst []byte, msg any) ([]byte, error)
	// Unmarshal decodes data into msg, replacing what it held. It keeps
	// nothing of data, which is used for something else as soon as it
	// returns.
	Unmarshal(data []byte, msg any) error
}

var (
	_ Codec = Proto{}
	_ Codec = JSON{}
	_ Codec = Raw{}
)

// Proto is the protobuf binary format. Messages are proto.Message; where one
// has the methods that vtprotobuf generates (SizeVT, MarshalToSizedBufferVT,
// UnmarshalVT), those are used.
type Proto struct{}

type vtMarshaler interface {
	SizeVT() int
	MarshalToSizedBufferVT(b []byte) (int, error)
}

type vtUnmarshaler interface {
	Reset()
	UnmarshalVT(b []byte) error
}

// Name returns "proto".
func (Proto) Name() string { return "proto" }

// Size returns the exact size of the encoded message.
func (Proto) Size(msg any) int {
	switch m := msg.(type) {
	case vtMarshaler:
		return m.SizeVT()
	case proto.Message:
		return proto.Size(m)
	default:
		return 0
	}
}

// Append implements [Codec].
func (Proto) Append(dst []byte, msg any) ([]byte, error) {
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
func (c Proto) AppendSized(dst []byte, msg any) ([]byte, error) {
	if m, ok := msg.(proto.Message); ok {
		if _, vt := msg.(vtMarshaler); !vt {
			return proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(dst, m)
		}
	}
	return c.Append(dst, msg)
}

func appendVT(dst []byte, m vtMarshaler) ([]byte, error) {
	at, size := len(dst), m.SizeVT()
	dst = grow(dst, size)[:at+size]
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

// Unmarshal implements [Codec].
func (Proto) Unmarshal(data []byte, msg any) error {
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

// UnmarshalOwned is Unmarshal for data that is msg's own from now on: a field of
// bytes that is most of the message refers to it instead of having a copy.
// Messages with vtprotobuf's methods are decoded by those.
func (c Proto) UnmarshalOwned(data []byte, msg any) error {
	m, ok := msg.(proto.Message)
	if _, vt := msg.(vtUnmarshaler); vt || !ok {
		return c.Unmarshal(data, msg)
	}
	proto.Reset(m)
	if err := mergeOwned(m.ProtoReflect(), data); err != nil {
		return err
	}
	return proto.CheckInitialized(m)
}

func notProto(verb string, msg any) error {
	return fmt.Errorf("codec proto cannot %s %T: it is not a proto.Message; choose another codec, or pass a pointer to a generated message", verb, msg)
}

// JSON is protobuf's JSON mapping. Messages are proto.Message. Fields that a
// message does not know are ignored, as they are in the binary format.
type JSON struct{}

// Name returns "json".
func (JSON) Name() string { return "json" }

// Size returns zero.
func (JSON) Size(any) int { return 0 }

// Append implements [Codec].
func (JSON) Append(dst []byte, msg any) ([]byte, error) {
	m, ok := msg.(proto.Message)
	if !ok {
		return dst, fmt.Errorf("codec json cannot encode %T: it is not a proto.Message", msg)
	}
	return protojson.MarshalOptions{}.MarshalAppend(dst, m)
}

// Unmarshal implements [Codec].
func (JSON) Unmarshal(data []byte, msg any) error {
	m, ok := msg.(proto.Message)
	if !ok {
		return fmt.Errorf("codec json cannot decode into %T: it is not a proto.Message", msg)
	}
	return protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: jsonDepth}.Unmarshal(data, m)
}

// jsonDepth bounds the nesting of JSON messages; each level costs stack.
const jsonDepth = 1000

// Raw passes messages on as the bytes that they are, as a proxy does. Messages
// are []byte or *[]byte to send, and *[]byte to receive.
type Raw struct {
	// Subtype is the content-subtype to speak; empty means "proto", for the
	// bytes that a proxy passes on are most often protobuf.
	Subtype string
}

// Name returns Subtype, or "proto".
func (r Raw) Name() string {
	if r.Subtype == "" {
		return Proto{}.Name()
	}
	return r.Subtype
}

// Size implements [Codec].
func (Raw) Size(msg any) int {
	b, _ := rawBytes(msg)
	return len(b)
}

// Append implements [Codec].
func (Raw) Append(dst []byte, msg any) ([]byte, error) {
	b, ok := rawBytes(msg)
	if !ok {
		return dst, fmt.Errorf("codec raw cannot encode %T: want []byte or *[]byte", msg)
	}
	return append(dst, b...), nil
}

// Unmarshal copies data into the *[]byte msg, reusing its capacity.
func (Raw) Unmarshal(data []byte, msg any) error {
	p, ok := msg.(*[]byte)
	if !ok || p == nil {
		return fmt.Errorf("codec raw cannot decode into %T: want a *[]byte that is not nil", msg)
	}
	*p = append((*p)[:0], data...)
	return nil
}

// UnmarshalOwned makes data the *[]byte msg.
func (r Raw) UnmarshalOwned(data []byte, msg any) error {
	p, ok := msg.(*[]byte)
	if !ok || p == nil {
		return r.Unmarshal(data, msg)
	}
	*p = data
	return nil
}

func rawBytes(msg any) ([]byte, bool) {
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

// grow returns dst with room for n bytes more.
func grow(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	return append(make([]byte, 0, len(dst)+n), dst...)
}
