package status

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// rpcStatus builds google.rpc.Status at run time, so that the encoding written
// by hand is checked against protobuf's own.
func rpcStatus(t testing.TB) protoreflect.MessageDescriptor {
	t.Helper()
	field := func(name string, n int32, typ descriptorpb.FieldDescriptorProto_Type, label descriptorpb.FieldDescriptorProto_Label) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{Name: &name, Number: &n, Type: &typ, Label: &label}
	}
	details := field("details", 3, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE, descriptorpb.FieldDescriptorProto_LABEL_REPEATED)
	details.TypeName = new(".google.protobuf.Any")
	fd, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name:       new("test/status.proto"),
		Package:    new("google.rpc"),
		Syntax:     new("proto3"),
		Dependency: []string{"google/protobuf/any.proto"},
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: new("Status"),
			Field: []*descriptorpb.FieldDescriptorProto{
				field("code", 1, descriptorpb.FieldDescriptorProto_TYPE_INT32, descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL),
				field("message", 2, descriptorpb.FieldDescriptorProto_TYPE_STRING, descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL),
				details,
			},
		}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return fd.Messages().Get(0)
}

func TestProtoAgainstProtobuf(t *testing.T) {
	desc := rpcStatus(t)
	big := wrapperspb.Bytes(bytes.Repeat([]byte{7}, 300))
	for _, err := range []error{
		New(NotFound, ""),
		New(Unauthenticated, "grüezi", wrapperspb.String("d"), big),
		New(Internal, "bad \xff utf-8", &anypb.Any{}, &anypb.Any{TypeUrl: "x/y"}, &anypb.Any{Value: []byte{1}}),
	} {
		e := err.(*Error)
		b := e.AppendProto([]byte("prefix"))[len("prefix"):]
		m := dynamicpb.NewMessage(desc)
		if err := proto.Unmarshal(b, m); err != nil {
			t.Fatalf("%v: protobuf cannot read it: %v", e, err)
		}
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, want) {
			t.Errorf("%v\n got %x\nwant %x", e, b, want)
		}
		p, err := ParseProto(b)
		if err != nil {
			t.Fatal(err)
		}
		if p.Code != e.Code() || p.Message != strings.ToValidUTF8(e.Message(), "\uFFFD") || len(p.Details) != len(e.Details()) {
			t.Errorf("parsed %+v of %v", p, e)
		}
		for i, d := range e.Details() {
			if !proto.Equal(d, p.Details[i]) {
				t.Errorf("detail %d: %v, want %v", i, p.Details[i], d)
			}
		}
	}
}

func TestParseProto(t *testing.T) {
	field := func(num protowire.Number, b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), b)
	}
	code := func(v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), v)
	}
	cases := []struct {
		name string
		in   []byte
		code Code
		bad  bool
	}{
		{"empty is OK", nil, OK, false},
		{"code", code(5), NotFound, false},
		{"code 17", code(17), Unknown, false},
		{"negative code", code(1<<64 - 1), Unknown, false},
		{"code beyond 32 bits that would wrap", code(1 << 32), Unknown, false},
		{"last code counts", append(code(5), code(6)...), AlreadyExists, false},
		{"unknown field", append(field(9, []byte("x")), code(5)...), NotFound, false},
		{"code of another wire type", append(field(1, []byte("x")), code(5)...), NotFound, false},
		{"unknown field in a detail", field(3, field(9, []byte("x"))), OK, false},
		{"as many details as allowed", bytes.Repeat(field(3, nil), 64), OK, false},
		{"one detail too many", bytes.Repeat(field(3, nil), 65), OK, true},
		{"cut tag", []byte{0x80}, OK, true},
		{"cut code", []byte{0x08}, OK, true},
		{"cut message", []byte{0x12, 0x05, 'a'}, OK, true},
		{"cut detail", []byte{0x1a, 0x05, 'a'}, OK, true},
		{"bad detail", field(3, []byte{0x0a, 0x05}), OK, true},
		{"field number zero", []byte{0x00, 0x00}, OK, true},
		{"stray end of group", []byte{0x0c}, OK, true},
	}
	for _, c := range cases {
		p, err := ParseProto(c.in)
		if (err != nil) != c.bad {
			t.Errorf("%s: error %v, want one: %v", c.name, err, c.bad)
		}
		if p.Code != c.code {
			t.Errorf("%s: code %v, want %v", c.name, p.Code, c.code)
		}
	}
}

func FuzzParseProto(f *testing.F) {
	f.Add([]byte{})
	f.Add(New(NotFound, "x", wrapperspb.String("y")).(*Error).AppendProto(nil))
	f.Add([]byte{0x1a, 0x02, 0x0a, 0x7f})
	desc := rpcStatus(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProto(b)
		if err != nil {
			return
		}
		if proto.Unmarshal(b, dynamicpb.NewMessage(desc)) != nil {
			return // protobuf also refuses strings that are not UTF-8
		}
		if p.Code == OK {
			return
		}
		e := Make(FromPeer, p.Code, p.Message, p.Details, nil).(*Error)
		again, err := ParseProto(e.AppendProto(nil))
		if err != nil || again.Code != p.Code || again.Message != p.Message || len(again.Details) != len(p.Details) {
			t.Errorf("%+v became %+v, %v", p, again, err)
		}
		_ = e.Error()
	})
}
