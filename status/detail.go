package status

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// DetailOf returns the first detail of type T of the outermost Error that err
// is or wraps. With T an interface, it looks the types of the details up in
// the program's protobuf registry. The message is the caller's.
func DetailOf[T proto.Message](err error) (T, bool) {
	var zero T
	e, ok := find(err)
	if !ok {
		return zero, false
	}
	for _, d := range e.details {
		m, ok := unpack(d, zero)
		if !ok {
			continue
		}
		if detail, ok := m.(T); ok {
			return detail, true
		}
	}
	return zero, false
}

func unpack(d *anypb.Any, like proto.Message) (proto.Message, bool) {
	if like == nil {
		m, err := d.UnmarshalNew()
		return m, err == nil
	}
	if !d.MessageIs(like) {
		return nil, false
	}
	m := like.ProtoReflect().New().Interface()
	return m, proto.Unmarshal(d.GetValue(), m) == nil
}

func pack(details []proto.Message) ([]*anypb.Any, error) {
	if len(details) == 0 {
		return nil, nil
	}
	var failed []error
	packed := make([]*anypb.Any, 0, len(details))
	for i, d := range details {
		if d == nil {
			continue
		}
		if d, ok := d.(*anypb.Any); ok {
			if d != nil {
				packed = append(packed, d)
			}
			continue
		}
		p, err := anypb.New(d)
		if err != nil {
			failed = append(failed, fmt.Errorf("detail %d (%s) is left out: %w", i, d.ProtoReflect().Descriptor().FullName(), err))
			continue
		}
		packed = append(packed, p)
	}
	return packed, joined(failed)
}

// causes are several causes of one Error.
type causes []error

func joined(errs []error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	default:
		return causes(errs)
	}
}

func (c causes) Unwrap() []error { return c }

func (c causes) Error() string {
	return errorTexts(c)
}

func errorTexts(errs []error) string {
	var b []byte
	for i, err := range errs {
		if i > 0 {
			b = append(b, "; "...)
		}
		b = append(b, err.Error()...)
	}
	return string(b)
}

var _ interface{ Unwrap() []error } = causes(nil)

// errUnpackable is why a google.rpc.Status could not be read.
var errUnpackable = errors.New("not a google.rpc.Status")
