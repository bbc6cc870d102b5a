package codec

import (
	"bytes"
	"strconv"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/typepb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// withUnknown returns m with a field that its type does not have.
func withUnknown[M proto.Message](m M) M {
	m.ProtoReflect().SetUnknown(protoreflect.RawFields{0xfa, 0x07, 3, 'a', 'b', 'c'}) // field 127
	return m
}

// TestSplit would break if a message in two parts were another message, or its
// large part a copy.
func TestSplit(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
	value := &anypb.Any{TypeUrl: "type", Value: large}
	for _, tt := range []struct {
		name string
		msg  proto.Message
		want bool
	}{
		{"the only field", wrapperspb.Bytes(large), true},
		{"one of two fields", value, true},
		{"beside an unknown field", withUnknown(wrapperspb.Bytes(large)), true},
		{"in a field's message", &typepb.Option{Name: "name", Value: withUnknown(value)}, true},
		{"most of a proto2 message", &descriptorpb.UninterpretedOption{
			Name:        []*descriptorpb.UninterpretedOption_NamePart{{NamePart: new("a"), IsExtension: new(true)}},
			StringValue: large, DoubleValue: new(1.0),
		}, true},
		{"small", wrapperspb.Bytes(large[:minBulk-1]), false},
		{"less than half", &anypb.Any{TypeUrl: string(large), Value: large[:len(large)/2]}, false},
		{"text", wrapperspb.String(string(large)), false},
		{"in a list", &typepb.Type{Options: []*typepb.Option{{Value: value}}}, false},
		{"text in a field's message", structpb.NewStringValue(string(large)), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			head, bulk, err := AppendSplit([]byte("before"), tt.msg, Size(tt.msg))
			if err != nil || (bulk != nil) != tt.want || !bytes.HasPrefix(head, []byte("before")) {
				t.Fatalf("AppendSplit: %d bytes, bulk of %d bytes, %v", len(head), len(bulk), err)
			}
			if head = head[len("before"):]; !tt.want {
				if len(head) > 0 {
					t.Errorf("%d bytes were appended", len(head))
				}
				return
			}
			if &bulk[0] != &large[0] {
				t.Error("bulk is a copy")
			}
			got := tt.msg.ProtoReflect().New().Interface()
			if err := proto.Unmarshal(append(head, bulk...), got); err != nil || !proto.Equal(got, tt.msg) {
				t.Errorf("the parts are not the message: %v", err)
			}
		})
	}
}

// TestUnmarshalOwned would break if a message that refers to what it was decoded
// from were another one than a copy, or referred to more of it than its large
// field.
func TestUnmarshalOwned(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
	value := &anypb.Any{TypeUrl: "type", Value: large}
	for _, tt := range []struct {
		name  string
		msg   proto.Message
		bytes func(proto.Message) []byte // nil if nothing is referred to
	}{
		{"the only field", wrapperspb.Bytes(large), func(m proto.Message) []byte { return m.(*wrapperspb.BytesValue).Value }},
		{"after another field", value, func(m proto.Message) []byte { return m.(*anypb.Any).Value }},
		{"beside an unknown field", withUnknown(wrapperspb.Bytes(large)), func(m proto.Message) []byte { return m.(*wrapperspb.BytesValue).Value }},
		{"in a field's message", &typepb.Option{Name: "name", Value: value}, func(m proto.Message) []byte { return m.(*typepb.Option).Value.Value }},
		{"between others", &descriptorpb.UninterpretedOption{
			Name:             []*descriptorpb.UninterpretedOption_NamePart{{NamePart: new("a"), IsExtension: new(true)}},
			PositiveIntValue: new(uint64(7)), StringValue: large, AggregateValue: new("z"),
		}, func(m proto.Message) []byte { return m.(*descriptorpb.UninterpretedOption).StringValue }},
		{"text", wrapperspb.String(string(large)), nil},
		{"in a list", &typepb.Type{Options: []*typepb.Option{{Value: value}}}, nil},
		{"small", wrapperspb.Bytes(large[:minBulk/2]), nil},
		{"nothing", &anypb.Any{}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data, err := proto.Marshal(tt.msg)
			if err != nil {
				t.Fatal(err)
			}
			got := tt.msg.ProtoReflect().New().Interface()
			if err := UnmarshalOwned(data, got); err != nil || !proto.Equal(got, tt.msg) {
				t.Fatalf("UnmarshalOwned: %v, or another message", err)
			}
			if tt.bytes == nil {
				clear(data)
				if !proto.Equal(got, tt.msg) {
					t.Error("the message refers to data")
				}
				return
			}
			b := tt.bytes(got)
			if i := bytes.Index(data, large); &b[0] != &data[i] || cap(b) != len(b) {
				t.Errorf("the field is a copy, or has %d bytes of room", cap(b)-len(b))
			}
			clear(data)
			copy(b, large)
			if !proto.Equal(got, tt.msg) {
				t.Error("another field refers to data")
			}
		})
	}
}

// TestUnmarshalOwnedOrder would break if a field that comes twice did not have its
// last value, or bad bytes around the large field were taken.
func TestUnmarshalOwnedOrder(t *testing.T) {
	large := bytes.Repeat([]byte("x"), 2*minBulk)
	field := func(b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), b)
	}
	got := wrapperspb.Bytes([]byte("before"))
	if err := UnmarshalOwned(append(field(large), field([]byte("last"))...), got); err != nil || string(got.Value) != "last" {
		t.Errorf("the last value does not win: %d bytes, %v", len(got.Value), err)
	}
	for name, data := range map[string][]byte{
		"before": append([]byte{0x07}, field(large)...),
		"after":  append(field(large), 0x80),
		"inside": field(large)[:minBulk],
	} {
		if err := UnmarshalOwned(data, &wrapperspb.BytesValue{}); err == nil {
			t.Errorf("damaged bytes %s the large field were taken", name)
		}
	}
	incomplete := append(protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), nil),
		protowire.AppendBytes(protowire.AppendTag(nil, 7, protowire.BytesType), large)...)
	if err := UnmarshalOwned(incomplete, &descriptorpb.UninterpretedOption{}); err == nil {
		t.Error("a message without a required field was decoded")
	}
	if err := UnmarshalOwned(large, new(string)); err == nil {
		t.Error("what is no message was decoded into")
	}
}

func TestSplitOfUninitialized(t *testing.T) {
	msg := &descriptorpb.UninterpretedOption{
		Name:        []*descriptorpb.UninterpretedOption_NamePart{{}},
		StringValue: make([]byte, 2*minBulk),
	}
	if _, _, err := AppendSplit(nil, msg, proto.Size(msg)); err == nil {
		t.Error("a message without a required field was encoded")
	}
}

// BenchmarkSplit shows from what size on two parts cost less than one.
func BenchmarkSplit(b *testing.B) {
	for _, size := range []int{16 << 10, 64 << 10, 1 << 20} {
		msg := wrapperspb.Bytes(make([]byte, size))
		dst := make([]byte, 0, size+100)
		b.Run("copied/"+strconv.Itoa(size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = Size(msg)
				if _, err := AppendSized(dst, msg); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("split/"+strconv.Itoa(size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, bulk, err := AppendSplit(dst, msg, Size(msg)); err != nil || bulk == nil {
					b.Fatal(err)
				}
			}
		})
	}
}
