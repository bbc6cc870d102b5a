package encoding

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/typepb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// vtMessage has the methods that vtprotobuf generates, and counts their calls.
type vtMessage struct {
	*wrapperspb.StringValue
	size           int // what SizeVT says, if not zero
	broken         bool
	marshaled, got int
}

func (m *vtMessage) SizeVT() int {
	if m.size != 0 {
		return m.size
	}
	return proto.Size(m.StringValue)
}

func (m *vtMessage) MarshalToSizedBufferVT(b []byte) (int, error) {
	m.marshaled++
	if m.broken {
		return 0, errors.New("broken")
	}
	enc, err := proto.Marshal(m.StringValue)
	copy(b[max(0, len(b)-len(enc)):], enc)
	return len(enc), err
}

func (m *vtMessage) UnmarshalVT(b []byte) error {
	m.got++
	return proto.UnmarshalOptions{Merge: true}.Unmarshal(b, m.StringValue)
}

func TestCodecsRoundTrip(t *testing.T) {
	for _, c := range []Codec{Proto{}, JSON{}} {
		for _, in := range []proto.Message{durationpb.New(90 * time.Second), &durationpb.Duration{}, wrapperspb.String("grüezi \"\n")} {
			b, err := c.Append([]byte("before"), in)
			if err != nil || !bytes.HasPrefix(b, []byte("before")) {
				t.Fatalf("%s: %q, %v", c.Name(), b, err)
			}
			b = b[len("before"):]
			if size := c.Size(in); c.Name() == "proto" && size != len(b) {
				t.Errorf("Size = %d of %d bytes", size, len(b))
			}
			out := in.ProtoReflect().New().Interface()
			if err := c.Unmarshal(b, out); err != nil || !proto.Equal(in, out) {
				t.Errorf("%s: %v came back as %v, %v", c.Name(), in, out, err)
			}
		}
	}
}

// A message that is received into replaces what was there, and does not share
// memory with the bytes, which the transport uses again at once.
func TestUnmarshalReplacesAndCopies(t *testing.T) {
	encoded, _ := proto.Marshal(wrapperspb.Bytes([]byte("fresh")))
	data := bytes.Clone(encoded)
	m := &wrapperspb.BytesValue{Value: []byte("stale")}
	if err := (Proto{}).Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
	clear(data)
	if string(m.Value) != "fresh" {
		t.Errorf("%q aliases the buffer", m.Value)
	}
	if err := (Proto{}).Unmarshal(nil, m); err != nil || len(m.Value) != 0 {
		t.Errorf("%q is left of an earlier message, %v", m.Value, err)
	}
	vt := &vtMessage{StringValue: wrapperspb.String("stale")}
	if err := (Proto{}).Unmarshal(nil, vt); err != nil || vt.Value != "" || vt.got != 1 {
		t.Errorf("%q is left of an earlier message, %v", vt.Value, err)
	}
}

func TestVTMethodsAreUsed(t *testing.T) {
	m := &vtMessage{StringValue: wrapperspb.String("hello")}
	want, _ := proto.Marshal(m.StringValue)
	for _, dst := range [][]byte{nil, []byte("x"), make([]byte, 0, 100), make([]byte, 3, 100)} {
		b, err := Proto{}.Append(dst, m)
		if err != nil || !bytes.Equal(b, append(bytes.Clone(dst), want...)) {
			t.Errorf("appended to %q: %q, %v", dst, b, err)
		}
	}
	if m.marshaled != 4 || (Proto{}).Size(m) != len(want) {
		t.Errorf("MarshalToSizedBufferVT was called %d times", m.marshaled)
	}
	for _, size := range []int{len(want) + 1, len(want) - 1} {
		m.size = size
		if b, err := (Proto{}).Append([]byte("x"), m); err == nil || string(b) != "x" {
			t.Errorf("a size that is wrong by one: %q, %v", b, err)
		}
	}
	m.size, m.broken = 0, true
	if b, err := (Proto{}).Append([]byte("x"), m); err == nil || string(b) != "x" {
		t.Errorf("an error is lost: %q, %v", b, err)
	}
}

func TestCodecsRefuseOtherTypes(t *testing.T) {
	for _, c := range []Codec{Proto{}, JSON{}, Raw{}} {
		for _, msg := range []any{nil, 7, "text", struct{}{}, (*[]byte)(nil)} {
			if b, err := c.Append([]byte("x"), msg); err == nil || string(b) != "x" || !strings.Contains(err.Error(), c.Name()) && c != (Raw{}) {
				t.Errorf("%T encodes %T: %q, %v", c, msg, b, err)
			}
			if err := c.Unmarshal(nil, msg); err == nil {
				t.Errorf("%T decodes into %T", c, msg)
			}
			if c.Size(msg) != 0 {
				t.Errorf("%T: Size(%T) = %d", c, msg, c.Size(msg))
			}
		}
	}
}

func TestProtoErrors(t *testing.T) {
	if b, err := (Proto{}).Append([]byte("x"), wrapperspb.String("\xff")); err == nil {
		t.Errorf("a string that is not UTF-8 encodes to %q", b)
	}
	for _, c := range []Codec{Proto{}, JSON{}} {
		if err := c.Unmarshal([]byte{0xff}, &durationpb.Duration{}); err == nil {
			t.Errorf("%s decodes rubbish", c.Name())
		}
	}
}

func TestJSON(t *testing.T) {
	m := &wrapperspb.StringValue{}
	if err := (JSON{}).Unmarshal([]byte(`"x"`), m); err != nil || m.Value != "x" {
		t.Errorf("%v, %v", m, err)
	}
	// A newer peer has fields that we do not know.
	e := &typepb.Enum{}
	if err := (JSON{}).Unmarshal([]byte(`{"new":[1,{"a":2}],"name":"n"}`), e); err != nil || e.GetName() != "n" {
		t.Errorf("%v, %v", e, err)
	}
}

// R30: nesting that a few bytes per level buy is refused.
func TestDeepNesting(t *testing.T) {
	deepJSON := strings.Repeat(`[`, 100_000)
	if err := (JSON{}).Unmarshal([]byte(deepJSON), &structpb.Value{}); err == nil {
		t.Error("100,000 levels of JSON are accepted")
	}
	for depth, ok := range map[int]bool{400: true, 1100: false} {
		err := (JSON{}).Unmarshal([]byte(strings.Repeat(`[`, depth)+strings.Repeat(`]`, depth)), &structpb.Value{})
		if (err == nil) != ok {
			t.Errorf("%d levels of well-formed JSON: %v", depth, err)
		}
	}
	if err := (Proto{}).Unmarshal(nestedList(5_100), &structpb.Value{}); err == nil {
		t.Error("10,200 levels of protobuf are accepted")
	}
}

// nestedList encodes a google.protobuf.Value of lists in lists; each is two
// messages deep.
func nestedList(depth int) []byte {
	var b []byte
	for range depth {
		list := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), b)
		b = protowire.AppendBytes(protowire.AppendTag(nil, 6, protowire.BytesType), list)
	}
	return b
}

func TestRaw(t *testing.T) {
	if (Raw{}).Name() != "proto" || (Raw{Subtype: "thrift"}).Name() != "thrift" {
		t.Error("the name is not the subtype")
	}
	data := []byte("bytes")
	for _, msg := range []any{data, &data} {
		if b, err := (Raw{}).Append([]byte("x"), msg); string(b) != "xbytes" || err != nil || (Raw{}).Size(msg) != 5 {
			t.Errorf("%T: %q, %v", msg, b, err)
		}
	}
	out := make([]byte, 3, 64)
	if err := (Raw{}).Unmarshal(data, &out); err != nil || string(out) != "bytes" || cap(out) != 64 {
		t.Errorf("%q of capacity %d, %v", out, cap(out), err)
	}
	data[0] = 'X'
	if string(out) != "bytes" {
		t.Error("the message aliases the buffer")
	}
	if err := (Raw{}).Unmarshal(data, out); err == nil {
		t.Error("decodes into a []byte, which cannot grow")
	}
}

func TestCodecAllocations(t *testing.T) {
	dst := make([]byte, 0, 1024)
	var m any = wrapperspb.Bytes(make([]byte, 100))
	if n := testing.AllocsPerRun(100, func() { _, _ = Proto{}.Append(dst, m) }); n != 0 {
		t.Errorf("encoding into a buffer that suffices allocates %v times", n)
	}
	var raw any = &dst
	if n := testing.AllocsPerRun(100, func() { _, _ = Raw{}.Append(dst, raw) }); n != 0 {
		t.Errorf("passing bytes on allocates %v times", n)
	}
}

func BenchmarkProto(b *testing.B) {
	var m any = wrapperspb.Bytes(make([]byte, 100))
	dst := make([]byte, 0, 1024)
	encoded, _ := Proto{}.Append(nil, m)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = Proto{}.Append(dst, m)
		}
	})
	b.Run("unmarshal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = Proto{}.Unmarshal(encoded, m)
		}
	})
}
