package yodel

import (
	"errors"
	"math"
	"strconv"

	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/internal/buffer"
	"github.com/yodelrpc/yodel/internal/codec"
	"github.com/yodelrpc/yodel/internal/envelope"
	"github.com/yodelrpc/yodel/status"
)

// messenger turns one side's messages into envelopes and back. It is a view on
// a call: cheap to make, nothing to release.
type messenger struct {
	codec encoding.Codec
	// limits of messages in bytes, before compression and after decompression.
	maxReceive, maxSend int
	side                *sideText
	// path is the method's.
	path string
}

// sideText is what errors call a side of a call.
type sideText struct {
	name string
	// sent and received are what this side's messages are.
	sent, received string
	// sendOption and receiveOption name the settings of its limits.
	sendOption, receiveOption string
	// origin is what errors of this side are.
	origin status.Origin
}

var (
	clientText = &sideText{
		name: "client", sent: "request", received: "response",
		sendOption:    "ChannelConfig.MaxSendBytes or yodel.MaxSendBytes",
		receiveOption: "ChannelConfig.MaxReceiveBytes or yodel.MaxReceiveBytes",
		origin:        status.FromChannel,
	}
	serverText = &sideText{
		name: "server", sent: "response", received: "request",
		sendOption: "ServerConfig.MaxSendBytes", receiveOption: "ServerConfig.MaxReceiveBytes",
		origin: status.FromProgram,
	}
)

func (m *messenger) fail(code status.Code, text string, cause error) error {
	return status.Make(m.side.origin, code, text, nil, cause)
}

// isProto tells the usual codec, which can do more than its methods say. A codec
// that embeds it may have its own idea of any of them, and gets no shortcut.
func (m *messenger) isProto() bool {
	_, ok := m.codec.(encoding.Proto)
	return ok
}

// seal returns msg in an envelope, in a buffer that the caller gives back with
// buffer.Put.
func (m *messenger) seal(msg any, compressor encoding.Compressor) ([]byte, error) {
	return m.sealSized(msg, m.codec.Size(msg), compressor)
}

// sealSized is seal for a message whose Size has just been called.
func (m *messenger) sealSized(msg any, size int, compressor encoding.Compressor) ([]byte, error) {
	if size > m.maxSend {
		return nil, m.tooLargeToSend(size)
	}
	b := buffer.Get(envelope.PrefixLen + size)
	sealed, err := m.append(b, msg, compressor)
	if err != nil {
		buffer.Put(b)
		return nil, err
	}
	return sealed, nil
}

// append appends msg, whose Size has just been called, in an envelope.
func (m *messenger) append(b []byte, msg any, compressor encoding.Compressor) ([]byte, error) {
	if compressor != nil {
		return m.appendCompressed(b, msg, compressor)
	}
	var err error
	b = envelope.Reserve(b)
	if m.isProto() {
		b, err = codec.AppendSized(b, msg)
	} else {
		b, err = m.codec.Append(b, msg)
	}
	if err != nil {
		return nil, m.notEncoded(err)
	}
	if err := envelope.Seal(b, 0, false, m.maxSend); err != nil {
		return nil, m.tooLargeToSend(len(b) - envelope.PrefixLen)
	}
	return b, nil
}

func (m *messenger) appendCompressed(b []byte, msg any, compressor encoding.Compressor) ([]byte, error) {
	plain := buffer.Get(m.codec.Size(msg))
	defer func() { buffer.Put(plain) }()
	encoded, err := m.codec.Append(plain, msg)
	if err != nil {
		return nil, m.notEncoded(err)
	}
	plain = encoded
	if len(plain) > m.maxSend {
		return nil, m.tooLargeToSend(len(plain))
	}
	// A compressor may make small messages larger: the limit is on what the
	// program sends, not on that.
	const overhead = 1 << 10
	most := m.maxSend + min(m.maxSend/64+overhead, math.MaxInt-m.maxSend)
	b, err = envelope.Append(b, plain, compressor, most)
	if err != nil {
		return nil, m.fail(status.Internal, m.side.name+": the "+m.side.sent+" of "+m.path+
			" cannot be compressed with "+compressor.Name(), err)
	}
	return b, nil
}

func (m *messenger) notEncoded(cause error) error {
	return m.fail(status.Internal, m.side.name+": the "+m.side.sent+" of "+m.path+" cannot be encoded", cause)
}

// open decodes one message into msg, which is empty if it is fresh. d decompresses
// it; nil is none.
//
// What hardly ever happens is in functions of its own, here and below: their
// frames would make the stack of every call on a server that much larger.
func (m *messenger) open(env envelope.Message, d encoding.Compressor, msg any, fresh bool) error {
	if env.Compressed {
		return m.openCompressed(env, d, msg)
	}
	if fresh && m.isProto() {
		return m.decoded(codec.UnmarshalNew(env.Payload, msg))
	}
	return m.decode(env.Payload, msg)
}

func (m *messenger) openCompressed(env envelope.Message, d encoding.Compressor, msg any) error {
	var decompressor envelope.Decompressor
	if d != nil {
		decompressor = d
	}
	plain := buffer.Get(len(env.Payload))
	defer func() { buffer.Put(plain) }()
	opened, err := env.Open(plain, decompressor, m.maxReceive)
	switch {
	case errors.Is(err, encoding.ErrTooLarge):
		return m.tooLargeToReceive(0)
	case errors.Is(err, envelope.ErrNotNegotiated):
		return m.fail(status.Internal, m.side.name+": the "+m.side.received+" of "+m.path+
			" is marked as compressed, but its headers name no compression", err)
	case err != nil:
		return m.fail(status.Internal, m.side.name+": the "+m.side.received+" of "+m.path+" cannot be decompressed", err)
	}
	plain = opened
	return m.decode(plain, msg)
}

func (m *messenger) decode(payload []byte, msg any) error {
	return m.decoded(m.codec.Unmarshal(payload, msg))
}

// decoded is the status for what a codec has returned.
func (m *messenger) decoded(cause error) error {
	if cause == nil {
		return nil
	}
	return m.fail(status.Internal, m.side.name+": the "+m.side.received+" of "+m.path+" cannot be decoded", cause)
}

// misframed is the status for an error of envelope.Parse.
func (m *messenger) misframed(err error) error {
	if tooLarge, ok := errors.AsType[*envelope.TooLargeError](err); ok {
		return m.tooLargeToReceive(tooLarge.Size)
	}
	return m.fail(status.Internal, m.side.name+": the "+m.side.received+" of "+m.path+" is malformed: "+err.Error(), err)
}

func (m *messenger) tooLargeToSend(size int) error {
	return m.fail(status.ResourceExhausted, m.side.name+": the "+m.side.sent+" of "+m.path+" has "+
		strconv.Itoa(size)+" bytes, more than the limit of "+strconv.Itoa(m.maxSend)+
		" ("+m.side.sendOption+")", nil)
}

// tooLargeToReceive is for a message of size bytes; zero is for one that was
// found too large while it was decompressed.
func (m *messenger) tooLargeToReceive(size uint64) error {
	has := strconv.FormatUint(size, 10) + " bytes,"
	if size == 0 {
		has = "been decompressed to"
	}
	return m.fail(status.ResourceExhausted, m.side.name+": the "+m.side.received+" of "+m.path+" has "+
		has+" more than the limit of "+strconv.Itoa(m.maxReceive)+
		" bytes ("+m.side.receiveOption+")", nil)
}

// wrongCount is for a call whose kind has one message on a side, and that has
// another number (the gRPC status document: cardinality violation).
func (m *messenger) wrongCount(none bool) error {
	has := "more than one " + m.side.received
	if none {
		has = "no " + m.side.received
	}
	return m.fail(status.Unimplemented, m.side.name+": the call of "+m.path+" has "+has+
		", but its method has exactly one: are both sides generated from the same .proto?", nil)
}
