package grpcgo

import (
	"bytes"
	"reflect"
	"strings"

	grpcencoding "google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/yodelrpc/yodel/encoding"
)

// message returns m as Yodel's codecs want it. As grpc-go does, nil stands for
// a message without content, and messages of protobuf's first API are taken.
func message(m any) any {
	switch m := m.(type) {
	case nil:
		return nothing{new(emptypb.Empty)}
	case proto.Message:
		return m
	case protoadapt.MessageV1:
		return protoadapt.MessageV2Of(m)
	}
	return m
}

// nothing is what nil is to Yodel's codecs.
type nothing struct{ *emptypb.Empty }

// original returns what message was given, for the program's own codecs.
func original(m any) any {
	switch m := m.(type) {
	case nothing:
		return nil
	case protoadapt.MessageV1:
		return m
	case proto.Message:
		return protoadapt.MessageV1Of(m)
	}
	return m
}

// Codec returns the codec for a content-subtype: one that the program has
// registered with grpc-go, and else Yodel's own for "proto" and "json". It is
// what CallContentSubtype uses; a server lists its codecs in
// yodel.ServerConfig.Codecs. The result is false if there is none.
//
// A codec of grpc-go's gets a copy of the bytes that it decodes, and is asked
// for no size: its messages cost one copy more each way than with grpc-go.
func Codec(subtype string) (encoding.Codec, bool) {
	subtype = strings.ToLower(subtype)
	if c := grpcencoding.GetCodecV2(subtype); c != nil && !isProtobufs(c) {
		return &codecV2{name: subtype, codec: c}, true
	}
	if c := grpcencoding.GetCodec(subtype); c != nil {
		return &codecV1{name: subtype, codec: c}, true
	}
	switch subtype {
	case encoding.Proto{}.Name():
		return encoding.Proto{}, true
	case encoding.JSON{}.Name():
		return encoding.JSON{}, true
	}
	return nil, false
}

// isProtobufs tells grpc-go's own codec for protobuf, which Yodel's replaces.
func isProtobufs(c grpcencoding.CodecV2) bool {
	t := reflect.TypeOf(c)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() == "google.golang.org/grpc/encoding/proto"
}

// codecV1 is a codec of grpc-go's first kind.
type codecV1 struct {
	name  string
	codec grpcencoding.Codec
}

func (c *codecV1) Name() string { return c.name }

func (*codecV1) Size(any) int { return 0 }

func (c *codecV1) Append(dst []byte, msg any) ([]byte, error) {
	if msg = original(msg); msg == nil {
		return dst, nil
	}
	b, err := c.codec.Marshal(msg)
	if err != nil {
		return nil, err
	}
	return append(dst, b...), nil
}

func (c *codecV1) Unmarshal(data []byte, msg any) error {
	// The codec may keep what it is given.
	return c.codec.Unmarshal(bytes.Clone(data), original(msg))
}

// codecV2 is a codec of grpc-go's second kind, which works on lists of buffers.
type codecV2 struct {
	name  string
	codec grpcencoding.CodecV2
}

func (c *codecV2) Name() string { return c.name }

func (*codecV2) Size(any) int { return 0 }

func (c *codecV2) Append(dst []byte, msg any) ([]byte, error) {
	if msg = original(msg); msg == nil {
		return dst, nil
	}
	buffers, err := c.codec.Marshal(msg)
	if err != nil {
		return nil, err
	}
	defer buffers.Free()
	for _, b := range buffers {
		dst = append(dst, b.ReadOnlyData()...)
	}
	return dst, nil
}

func (c *codecV2) Unmarshal(data []byte, msg any) error {
	// The codec may keep references to its buffers.
	return c.codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(bytes.Clone(data))}, original(msg))
}
