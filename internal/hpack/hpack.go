// Package hpack is the header compression of HTTP/2 (RFC 7541): an [Encoder]
// and a [Decoder], one of each per connection.
//
// Both keep a table of fields that must stay equal to the other side's. So
// every block that is encoded has to be sent, in order, and every block that
// is received has to be decoded, in order, even when its stream is gone.
//
// The package holds no locks: whoever owns the connection's write side owns
// its Encoder, and whoever reads the connection owns its Decoder.
package hpack

import (
	"errors"
	"strconv"

	"github.com/yodelrpc/yodel/metadata"
)

// Field is one header field.
type Field = metadata.Field

const (
	// DefaultTableSize is the size in bytes that a table has before anybody
	// asked for another one (RFC 9113 §6.5.2).
	DefaultTableSize = 4096
	// FieldOverhead is what a field counts for besides the bytes of its name and
	// of its value (RFC 7541 §4.1, RFC 9113 §6.5.2).
	FieldOverhead = 32
)

// Limits bounds what one block may decode to. The zero value allows no field at
// all.
type Limits struct {
	// Bytes is the size of the block's fields together, each counted as its name
	// and its value and [FieldOverhead] (RFC 9113 §6.5.2).
	Bytes int
	// Fields is the number of fields.
	Fields int
}

// ErrTooLarge is returned for a block that passes its [Limits]. The connection's
// compression state is intact: only the block's stream has to end.
var ErrTooLarge = errors.New("hpack: header block passes the limits on its decoded size or its number of fields; " +
	"send fewer or shorter fields, or raise the limit")

// Error is why a block cannot be decoded. The table is no longer known to equal
// the peer's, so the connection has to be closed with COMPRESSION_ERROR
// (RFC 9113 §4.3).
type Error struct {
	// Text names the rule that the block breaks.
	Text string
	// Offset is where in the block the offending representation starts, in bytes.
	Offset int
}

func (e *Error) Error() string {
	return "hpack: " + e.Text + ", in the representation at byte " + strconv.Itoa(e.Offset) +
		" of the header block; the connection must be closed"
}

// The texts of [Error].
const (
	textTruncated     = "the block ends inside a representation"
	textInteger       = "an integer takes more than 32 bits or 5 continuation bytes (RFC 7541 §5.1)"
	textIndexZero     = "index 0 is not a field (RFC 7541 §6.1)"
	textIndexUnknown  = "an index is past the end of the table (RFC 7541 §2.3.3)"
	textHuffman       = "a Huffman-coded string holds EOS or ends in wrong padding (RFC 7541 §5.2)"
	textUpdateLate    = "a table size update follows a field (RFC 7541 §4.2)"
	textUpdateMany    = "there are more than two table size updates (RFC 7541 §4.2)"
	textUpdateLarge   = "a table size update is above the advertised size (RFC 7541 §6.3)"
	textUpdateMissing = "the advertised table size went down, and the next block does not begin with a table size update (RFC 7541 §4.2)"
)
