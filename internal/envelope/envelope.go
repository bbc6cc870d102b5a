// Package envelope frames messages inside a stream: a five-byte prefix (one
// byte of flags, four of length) and the payload
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md,
// Length-Prefixed-Message). The boundaries of whatever carries the stream mean
// nothing here.
package envelope

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/yodelrpc/yodel/status"
)

// PrefixLen is the length of the prefix in bytes.
const PrefixLen = 5

const flagCompressed = 0x01

// largest is a payload whose envelope, and a byte more, an int can still count:
// where an int has 32 bits, a prefix can say more.
const largest = math.MaxInt - PrefixLen - 1

// Errors of an envelope. Each has the code INTERNAL on the wire.
var (
	// ErrTruncated is a stream that ended inside an envelope.
	ErrTruncated = errors.New("the stream ended in the middle of a message")
	// ErrNotNegotiated is a compressed message on a stream whose headers named
	// no compression.
	ErrNotNegotiated = errors.New("the message is marked as compressed, but the headers name no compression")
)

// FlagError is a prefix whose flags byte is neither 0 nor 1: what follows is
// no gRPC message. Its code is INTERNAL.
type FlagError byte

func (e FlagError) Error() string {
	return "the message prefix has the flags 0x" + strconv.FormatUint(uint64(e), 16) + ", want 0 or 1: the peer does not speak gRPC on this stream"
}

// Code returns INTERNAL.
func (FlagError) Code() status.Code { return status.Internal }

// TooLargeError is a message larger than its limit. Its code is
// RESOURCE_EXHAUSTED.
type TooLargeError struct {
	// Size is the message's in bytes, or zero if only more than Limit is
	// known, as of a compressed message.
	Size uint64
	// Limit in bytes.
	Limit int
}

func (e *TooLargeError) Error() string {
	if e.Size == 0 {
		return fmt.Sprintf("the message has more than %d bytes", e.Limit)
	}
	return fmt.Sprintf("the message has %d bytes, more than %d", e.Size, e.Limit)
}

// Code returns RESOURCE_EXHAUSTED.
func (*TooLargeError) Code() status.Code { return status.ResourceExhausted }

// Message is one envelope's content.
type Message struct {
	// Payload aliases what was parsed.
	Payload []byte
	// Compressed is the flag: Payload is what the stream's compression made.
	Compressed bool
}

// Parse parses the envelope at the start of b. It returns how many bytes that
// is, zero if b holds only a part of it. Its error is a FlagError or a
// *TooLargeError, which the prefix alone decides: a lying length costs
// nothing. limit is the largest payload to accept, in bytes.
func Parse(b []byte, limit int) (m Message, n int, err error) {
	if len(b) < PrefixLen {
		return Message{}, 0, nil
	}
	size, err := parsePrefix(b, limit)
	if err != nil || len(b)-PrefixLen < size {
		return Message{}, 0, err
	}
	n = PrefixLen + size
	return Message{Payload: b[PrefixLen:n:n], Compressed: b[0] == flagCompressed}, n, nil
}

// parsePrefix returns the payload's length. b holds a prefix at least.
func parsePrefix(b []byte, limit int) (int, error) {
	if b[0]&^flagCompressed != 0 {
		return 0, FlagError(b[0])
	}
	size := binary.BigEndian.Uint32(b[1:PrefixLen])
	if int64(size) > min(int64(limit), largest) {
		return 0, &TooLargeError{Size: uint64(size), Limit: limit}
	}
	return int(size), nil
}

// prefixFits is parsePrefix without making an error.
func prefixFits(b []byte, limit int) (size int, ok bool) {
	n := binary.BigEndian.Uint32(b[1:PrefixLen])
	if b[0]&^flagCompressed != 0 || int64(n) > min(int64(limit), largest) {
		return 0, false
	}
	return int(n), true
}

// Reserve appends room for a prefix. Append the payload after it, and Seal what
// began where dst ended.
func Reserve(dst []byte) []byte { return append(dst, 0, 0, 0, 0, 0) }

// Seal fills in the prefix that b begins with, one whole envelope but for its last
// rest bytes, which are elsewhere. Its error is a *TooLargeError if the payload is
// larger than limit, or than a prefix can say.
func Seal(b []byte, rest int, compressed bool, limit int) error {
	size := len(b) - PrefixLen + rest
	if int64(size) > min(int64(limit), math.MaxUint32) {
		return &TooLargeError{Size: uint64(size), Limit: int(min(int64(limit), math.MaxUint32))}
	}
	b[0] = 0
	if compressed {
		b[0] = flagCompressed
	}
	binary.BigEndian.PutUint32(b[1:PrefixLen], uint32(size))
	return nil
}
