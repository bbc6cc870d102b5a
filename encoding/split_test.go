package encoding

import (
	"bytes"
	"strconv"
	"testing"

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
			head, bulk, err := Proto{}.AppendSplit([]byte("before"), tt.msg, Proto{}.Size(tt.msg))
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

func TestSplitOfUninitialized(t *testing.T) {
	msg := &descriptorpb.UninterpretedOption{
		Name:        []*descriptorpb.UninterpretedOption_NamePart{{}},
		StringValue: make([]byte, 2*minBulk),
	}
	if _, _, err := (Proto{}).AppendSplit(nil, msg, proto.Size(msg)); err == nil {
		t.Error("a message without a required field was encoded")
	}
}

func TestSplitOfRaw(t *testing.T) {
	large := make([]byte, minBulk)
	head, bulk, err := Raw{}.AppendSplit(nil, &large, len(large))
	if err != nil || len(head) > 0 || &bulk[0] != &large[0] || len(bulk) != len(large) {
		t.Errorf("AppendSplit: %d bytes, bulk of %d bytes, %v", len(head), len(bulk), err)
	}
	if _, bulk, err = (Raw{}).AppendSplit(nil, large[1:], len(large)-1); err != nil || bulk != nil {
		t.Errorf("AppendSplit of a small message: bulk of %d bytes, %v", len(bulk), err)
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
				_ = Proto{}.Size(msg)
				if _, err := (Proto{}).AppendSized(dst, msg); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("split/"+strconv.Itoa(size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, bulk, err := (Proto{}).AppendSplit(dst, msg, Proto{}.Size(msg)); err != nil || bulk == nil {
					b.Fatal(err)
				}
			}
		})
	}
}
