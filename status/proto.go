package status

import (
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/anypb"
)

// The fields of google.rpc.Status and google.protobuf.Any. They are encoded
// by hand because the generated google.rpc.Status is another module's.
const (
	statusCode    protowire.Number = 1
	statusMessage protowire.Number = 2
	statusDetails protowire.Number = 3
	anyTypeURL    protowire.Number = 1
	anyValue      protowire.Number = 2
)

// maxDetails is how many details of a peer are kept: an empty one is two bytes
// on the wire and some hundred in memory.
const maxDetails = 64

// AppendProto appends e as a serialized google.rpc.Status, which is what the
// field grpc-status-details-bin carries.
func (e *Error) AppendProto(dst []byte) []byte {
	if e == nil {
		return dst
	}
	dst = protowire.AppendTag(dst, statusCode, protowire.VarintType)
	dst = protowire.AppendVarint(dst, uint64(e.code))
	if e.message != "" {
		dst = protowire.AppendTag(dst, statusMessage, protowire.BytesType)
		dst = protowire.AppendString(dst, validUTF8(e.message))
	}
	for _, d := range e.details {
		dst = protowire.AppendTag(dst, statusDetails, protowire.BytesType)
		dst = protowire.AppendVarint(dst, uint64(anySize(d)))
		dst = appendAny(dst, d)
	}
	return dst
}

func anySize(d *anypb.Any) int {
	n := 0
	if url := d.GetTypeUrl(); url != "" {
		n += protowire.SizeTag(anyTypeURL) + protowire.SizeBytes(len(url))
	}
	if value := d.GetValue(); len(value) > 0 {
		n += protowire.SizeTag(anyValue) + protowire.SizeBytes(len(value))
	}
	return n
}

func appendAny(dst []byte, d *anypb.Any) []byte {
	if url := d.GetTypeUrl(); url != "" {
		dst = protowire.AppendTag(dst, anyTypeURL, protowire.BytesType)
		dst = protowire.AppendString(dst, url)
	}
	if value := d.GetValue(); len(value) > 0 {
		dst = protowire.AppendTag(dst, anyValue, protowire.BytesType)
		dst = protowire.AppendBytes(dst, value)
	}
	return dst
}

// Proto is what a google.rpc.Status holds.
type Proto struct {
	// Code is Unknown if the number was not a code.
	Code    Code
	Message string
	Details []*anypb.Any
}

// ParseProto parses a serialized google.rpc.Status from a peer. It keeps
// nothing of b. Fields that it does not know are skipped.
func ParseProto(b []byte) (Proto, error) {
	var p Proto
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return Proto{}, badProto(protowire.ParseError(n))
		}
		b = b[n:]
		switch {
		case num == statusCode && typ == protowire.VarintType:
			var v uint64
			v, n = protowire.ConsumeVarint(b)
			p.Code = codeOfNumber(v)
		case num == statusMessage && typ == protowire.BytesType:
			var v []byte
			v, n = protowire.ConsumeBytes(b)
			p.Message = validUTF8(string(v))
		case num == statusDetails && typ == protowire.BytesType:
			var v []byte
			v, n = protowire.ConsumeBytes(b)
			if n >= 0 {
				if err := p.addDetail(v); err != nil {
					return Proto{}, err
				}
			}
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return Proto{}, badProto(protowire.ParseError(n))
		}
		b = b[n:]
	}
	return p, nil
}

func (p *Proto) addDetail(b []byte) error {
	if len(p.Details) == maxDetails {
		return badProto(fmt.Errorf("it has more than %d details", maxDetails))
	}
	d := &anypb.Any{}
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return badProto(protowire.ParseError(n))
		}
		b = b[n:]
		switch {
		case num == anyTypeURL && typ == protowire.BytesType:
			var v []byte
			v, n = protowire.ConsumeBytes(b)
			d.TypeUrl = validUTF8(string(v))
		case num == anyValue && typ == protowire.BytesType:
			var v []byte
			v, n = protowire.ConsumeBytes(b)
			d.Value = append([]byte(nil), v...)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return badProto(protowire.ParseError(n))
		}
		b = b[n:]
	}
	p.Details = append(p.Details, d)
	return nil
}

func badProto(err error) error { return fmt.Errorf("%w: %w", errUnpackable, err) }

// codeOfNumber takes numbers that are no code for Unknown, as gRPC's status
// code document asks.
func codeOfNumber(v uint64) Code {
	if v > math.MaxUint32 || !Code(v).Valid() {
		return Unknown
	}
	return Code(v)
}

// validUTF8 replaces what is not UTF-8: a protobuf string must be.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}
