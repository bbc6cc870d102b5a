package envelope

import "errors"

// Compressor makes payloads smaller. An encoding.Compressor is one.
type Compressor interface {
	// Compress appends to dst what src compresses to.
	Compress(dst, src []byte) ([]byte, error)
}

// Decompressor undoes a Compressor. An encoding.Compressor is one.
type Decompressor interface {
	// Decompress appends to dst what src decompresses to. It stops, with an
	// error, as soon as that is more than limit bytes.
	Decompress(dst, src []byte, limit int) ([]byte, error)
}

// errBroughtTooMuch is a Decompressor that did not keep its limit.
var errBroughtTooMuch = errors.New("the decompressor returned more than its limit")

// Append appends one envelope with payload, compressed by c unless it is nil.
// The error is c's, or as Seal's.
func Append(dst, payload []byte, c Compressor, limit int) ([]byte, error) {
	at := len(dst)
	dst = Reserve(dst)
	if c == nil {
		dst = append(dst, payload...)
		return dst, Seal(dst[at:], 0, false, limit)
	}
	dst, err := c.Compress(dst, payload)
	if err != nil {
		return dst, err
	}
	return dst, Seal(dst[at:], 0, true, limit)
}

// Open appends the message's bytes, decompressed by d, to dst. Call it for
// Compressed messages only: the Payload of others is the message. An empty
// payload is an empty message, for some peers mark those too.
//
// The error is ErrNotNegotiated without a d, or d's. gRPC's compression document
// makes both INTERNAL.
func (m Message) Open(dst []byte, d Decompressor, limit int) ([]byte, error) {
	if d == nil {
		return dst, ErrNotNegotiated
	}
	if len(m.Payload) == 0 {
		return dst, nil
	}
	out, err := d.Decompress(dst, m.Payload, limit)
	if err != nil {
		return dst, err
	}
	if len(out)-len(dst) > limit {
		return dst, errBroughtTooMuch
	}
	return out, nil
}
