// Package compat is what the two programs that connectconformance drives have in
// common: how they talk to it, and how its protos spell metadata and statuses.
package compat

import (
	"encoding/binary"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"
)

// maxMessage limits a message of the runner, in bytes. The largest requests of
// its suites are a few hundred KiB.
const maxMessage = 16 << 20

// Read reads one message: its length as four bytes, big-endian, and protobuf. It
// returns io.EOF if there is no other one.
func Read(r io.Reader, into proto.Message) error {
	var prefix [4]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(prefix[:])
	if size > maxMessage {
		return fmt.Errorf("the runner's message has %d bytes, more than %d", size, maxMessage)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return fmt.Errorf("the runner's message ends early: %w", err)
	}
	return proto.Unmarshal(data, into)
}

// Write writes one message, in one piece.
func Write(w io.Writer, message proto.Message) error {
	data := make([]byte, 4, 4+proto.Size(message))
	data, err := proto.MarshalOptions{}.MarshalAppend(data, message)
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint32(data, uint32(len(data)-4))
	_, err = w.Write(data)
	return err
}
