package yodel

import (
	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/internal/buffer"
	"github.com/yodelrpc/yodel/internal/codec"
	"github.com/yodelrpc/yodel/internal/envelope"
)

// largeMessage is the least size of a message that it is worth not to copy.
const largeMessage = 32 << 10

// sealLent is seal for a message that nobody changes until it has been sent: bulk
// follows data, and is its own memory.
func (m *messenger) sealLent(msg any, compressor encoding.Compressor) (data, bulk []byte, err error) {
	size := m.codec.Size(msg)
	if size >= largeMessage && size <= m.maxSend && compressor == nil {
		return m.sealSplit(msg, size)
	}
	data, err = m.sealSized(msg, size, compressor)
	return data, nil, err
}

// sealSplit is sealLent for a large message.
func (m *messenger) sealSplit(msg any, size int) (data, bulk []byte, err error) {
	head := envelope.Reserve(buffer.Get(envelope.PrefixLen))
	data = head
	switch m.codec.(type) {
	case encoding.Proto:
		data, bulk, err = codec.AppendSplit(head, msg, size)
	case encoding.Raw:
		bulk, _ = codec.RawBytes(msg)
	}
	switch {
	case err != nil:
		err = m.notEncoded(err)
	case bulk == nil:
		buffer.Put(head)
		data, err = m.sealSized(msg, size, nil)
		return data, nil, err
	default:
		if envelope.Seal(data, len(bulk), false, m.maxSend) != nil {
			err = m.tooLargeToSend(len(data) - envelope.PrefixLen + len(bulk))
		}
	}
	if err != nil {
		buffer.Put(head)
		return nil, nil, err
	}
	return data, bulk, nil
}

// canKeep tells whether a message can be decoded into one that keeps its memory,
// and whether that is worth asking for.
func (m *messenger) canKeep(env envelope.Message) bool {
	if len(env.Payload) < largeMessage || env.Compressed {
		return false
	}
	switch m.codec.(type) {
	case encoding.Proto, encoding.Raw:
		return true
	}
	return false
}

// openOwned decodes a message that canKeep its memory, which is its own now.
func (m *messenger) openOwned(env envelope.Message, msg any) error {
	if m.isProto() {
		return m.decoded(codec.UnmarshalOwned(env.Payload, msg))
	}
	if raw, ok := msg.(*[]byte); ok && raw != nil {
		*raw = env.Payload
		return nil
	}
	return m.decode(env.Payload, msg)
}
