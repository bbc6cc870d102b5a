package h2

import "github.com/yodelrpc/yodel/internal/frame"

// ContentLength counts a body against the content-length that announced it (RFC
// 9113 §8.1.1).
type ContentLength struct {
	left    int64
	unknown bool
}

// NewContentLength returns the count of a body of n bytes; -1 is not known.
func NewContentLength(n int64) ContentLength { return ContentLength{left: n, unknown: n < 0} }

// Data is n bytes of body on stream id, without padding. end says that
// nothing follows; for a body that trailers end, call Data with 0 and true.
func (c *ContentLength) Data(id uint32, n int, end bool) error {
	if c.unknown {
		return nil
	}
	c.left -= int64(n)
	if c.left < 0 || end && c.left > 0 {
		return streamError(frame.CodeProtocol, id, "the body is not as long as its content-length says")
	}
	return nil
}
