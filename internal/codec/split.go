package codec

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// minBulk is the least size of a field that is worth leaving where it is: below
// it, copying costs less than looking for the field.
const minBulk = 16 << 10

// AppendSplit is Append for a message of size bytes, its Size, that consists of
// one large field of bytes for the most part. It appends the rest of the message
// to dst, and returns the field's value as bulk, which is the message's own
// memory: what was appended, and then bulk, is the encoded message. If there is no
// such field, bulk is nil, nothing has been appended, and the message is for
// Append.
func AppendSplit(dst []byte, msg any, size int) (head, bulk []byte, err error) {
	m, ok := msg.(proto.Message)
	if !ok || size < minBulk {
		return dst, nil, nil
	}
	s := splitter{dst: dst}
	if !s.split(m.ProtoReflect(), size) {
		return dst, nil, s.err
	}
	if err := proto.CheckInitialized(m); err != nil {
		return dst, nil, err
	}
	return s.dst, s.bulk, nil
}

// splitter encodes a message but for its large field.
type splitter struct {
	dst, bulk []byte
	err       error
}

// split appends m, which has size bytes, with its large field last: parsers take
// fields in any order. It reports whether there is a large field.
func (s *splitter) split(m protoreflect.Message, size int) bool {
	fd, v, n := largeField(m, size)
	if fd == nil {
		return false
	}
	start := len(s.dst)
	if s.err = s.appendOthers(m, fd); s.err != nil {
		return false
	}
	s.dst = protowire.AppendTag(s.dst, fd.Number(), protowire.BytesType)
	s.dst = protowire.AppendVarint(s.dst, uint64(n))
	if fd.Kind() == protoreflect.BytesKind {
		s.bulk = v.Bytes()
	} else if !s.split(v.Message(), n) {
		return false
	}
	return len(s.dst)-start+len(s.bulk) == size
}

// largeField returns the field that most of m is in, bytes or a message, and its
// size without tag and length; a nil fd if there is none.
func largeField(m protoreflect.Message, size int) (large protoreflect.FieldDescriptor, value protoreflect.Value, n int) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.IsList() || fd.IsMap() || fd.IsExtension() {
			return true
		}
		switch fd.Kind() {
		case protoreflect.BytesKind:
			n = len(v.Bytes())
		case protoreflect.MessageKind:
			n = proto.Size(v.Message().Interface())
		default:
			return true
		}
		if n < minBulk || n < size/2 {
			return true
		}
		large, value = fd, v
		return false
	})
	return large, value, n
}

// appendOthers appends all of m but one field.
func (s *splitter) appendOthers(m protoreflect.Message, but protoreflect.FieldDescriptor) error {
	var others protoreflect.Message
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd != but {
			if others == nil {
				others = m.New()
			}
			others.Set(fd, v) // refers to the same memory
		}
		return true
	})
	s.dst = append(s.dst, m.GetUnknown()...)
	if others == nil {
		return nil
	}
	var err error
	s.dst, err = proto.MarshalOptions{AllowPartial: true}.MarshalAppend(s.dst, others.Interface())
	return err
}

// UnmarshalOwned is Unmarshal for data that is msg's own from now on: a field of
// bytes that is most of the message refers to it instead of having a copy. Messages
// with vtprotobuf's methods are decoded by those.
func UnmarshalOwned(data []byte, msg any) error {
	m, ok := msg.(proto.Message)
	if _, vt := msg.(vtUnmarshaler); vt || !ok {
		return Unmarshal(data, msg)
	}
	proto.Reset(m)
	if err := mergeOwned(m.ProtoReflect(), data); err != nil {
		return err
	}
	return proto.CheckInitialized(m)
}

// maxSought is how many fields are looked at for the large one.
const maxSought = 64

// findBulk returns the first field of an encoded message that most of it is in: its
// number, where its tag begins, and its value. A zero number is none.
func findBulk(data []byte) (number protowire.Number, start, value, end int) {
	for at, n := 0, 0; at < len(data) && n < maxSought; n++ {
		number, kind, tag := protowire.ConsumeTag(data[at:])
		if tag < 0 {
			break
		}
		rest := protowire.ConsumeFieldValue(number, kind, data[at+tag:])
		if rest < 0 {
			break
		}
		end := at + tag + rest
		if kind == protowire.BytesType && rest >= minBulk && rest >= len(data)/2 {
			b, _ := protowire.ConsumeBytes(data[at+tag:])
			return number, at, end - len(b), end
		}
		at = end
	}
	return 0, 0, 0, 0
}

// mergeOwned merges an encoded message into m, which has data for itself.
func mergeOwned(m protoreflect.Message, data []byte) error {
	number, start, value, end := findBulk(data)
	var fd protoreflect.FieldDescriptor
	if number != 0 {
		fd = m.Descriptor().Fields().ByNumber(number)
	}
	if fd == nil || fd.IsList() || fd.IsMap() || (fd.Kind() != protoreflect.BytesKind && fd.Kind() != protoreflect.MessageKind) {
		return merge(m, data)
	}
	if err := merge(m, data[:start]); err != nil {
		return err
	}
	if fd.Kind() == protoreflect.BytesKind {
		m.Set(fd, protoreflect.ValueOfBytes(data[value:end:end]))
	} else if err := mergeOwned(m.Mutable(fd).Message(), data[value:end]); err != nil {
		return err
	}
	return merge(m, data[end:])
}

func merge(m protoreflect.Message, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	return proto.UnmarshalOptions{Merge: true, AllowPartial: true}.Unmarshal(data, m.Interface())
}
