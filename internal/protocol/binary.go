package protocol

import (
	"encoding/base64"
	"strings"
)

// isBinary tells whether a field's value is base64 on the wire.
func isBinary(name string) bool { return strings.HasSuffix(name, "-bin") }

// EncodeBinary returns the wire form of a -bin field's value: base64 without
// padding (PROTOCOL-HTTP2: "implementations should emit un-padded values").
func EncodeBinary(value string) string {
	var scratch [256]byte
	b := scratch[:]
	n := base64.RawStdEncoding.EncodedLen(len(value))
	if n > len(b) {
		b = make([]byte, n)
	}
	base64.RawStdEncoding.Encode(b, []byte(value))
	return string(b[:n])
}

// DecodeBinary returns one value of a -bin field, with padding or without
// (PROTOCOL-HTTP2: "implementations must accept padded and un-padded values").
// A field may join several values with commas: split it before.
func DecodeBinary(wire string) (string, error) {
	if len(wire)%4 == 0 {
		// Padding can only be where it makes a multiple of four.
		wire = strings.TrimSuffix(strings.TrimSuffix(wire, "="), "=")
	}
	var scratch [256]byte
	b := scratch[:]
	if n := base64.RawStdEncoding.DecodedLen(len(wire)); n > len(b) {
		b = make([]byte, n)
	}
	n, err := base64.RawStdEncoding.Decode(b, []byte(wire))
	if err != nil {
		return "", err
	}
	return string(b[:n]), nil
}
