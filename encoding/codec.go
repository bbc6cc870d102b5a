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

	"github.com/yodelrpc/yodel/internal/codec"
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

// Name returns "proto".
func (Proto) Name() string { return "proto" }

// Size returns the exact size of the encoded message.
func (Proto) Size(msg any) int { return codec.Size(msg) }

// Append implements [Codec].
func (Proto) Append(dst []byte, msg any) ([]byte, error) { return codec.Append(dst, msg) }

// Unmarshal implements [Codec].
func (Proto) Unmarshal(data []byte, msg any) error { return codec.Unmarshal(data, msg) }

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
	b, _ := codec.RawBytes(msg)
	return len(b)
}

// Append implements [Codec].
func (Raw) Append(dst []byte, msg any) ([]byte, error) {
	b, ok := codec.RawBytes(msg)
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
