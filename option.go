package yodel

import (
	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/internal/envelope"
	"github.com/yodelrpc/yodel/metadata"
)

type optionKind uint8

const (
	optHeader optionKind = iota
	optReceiveHeader
	optReceiveTrailer
	optWaitForReady
	optCompress
	optMaxReceive
	optMaxSend
	optCodec
)

// CallOption changes one call. It is a value: it may be kept, and used for any
// number of calls at the same time, except for ReceiveHeader and
// ReceiveTrailer, which write where they point.
type CallOption struct {
	kind       optionKind
	n          int
	field      metadata.Field
	md         *metadata.MD
	compressor encoding.Compressor
	codec      encoding.Codec
}

// Header adds a value to the request's metadata. A name that ends in "-bin" may
// have any bytes as its value, others printable ASCII; names that belong to the
// protocol make the call fail.
func Header(name, value string) CallOption {
	var md metadata.MD
	md.Add(name, value)
	return CallOption{kind: optHeader, field: md[0]}
}

// SensitiveHeader is Header for tokens and cookies: the value is kept out of
// header compression on the whole way (RFC 7541 §7.1.3).
func SensitiveHeader(name, value string) CallOption {
	o := Header(name, value)
	o.field.Sensitive = true
	return o
}

// ReceiveHeader stores the metadata of the response's header section in *md:
// before the first message is returned, or when the call ends.
func ReceiveHeader(md *metadata.MD) CallOption {
	return CallOption{kind: optReceiveHeader, md: md}
}

// ReceiveTrailer stores the metadata that came with the status in *md when the
// call ends.
func ReceiveTrailer(md *metadata.MD) CallOption {
	return CallOption{kind: optReceiveTrailer, md: md}
}

// WaitForReady makes the call wait, within its deadline, while the channel is
// in TransientFailure, instead of failing at once.
func WaitForReady() CallOption { return CallOption{kind: optWaitForReady} }

// Compress compresses the request's messages. A server that does not know c
// answers UNIMPLEMENTED and lists the ones that it knows.
func Compress(c encoding.Compressor) CallOption {
	return CallOption{kind: optCompress, compressor: c}
}

// MaxReceiveBytes limits each response message, after decompression, instead of
// ChannelConfig.MaxReceiveBytes. n <= 0 changes nothing.
func MaxReceiveBytes(n int) CallOption { return CallOption{kind: optMaxReceive, n: n} }

// MaxSendBytes limits each request message, before compression, instead of
// ChannelConfig.MaxSendBytes. n <= 0 changes nothing.
func MaxSendBytes(n int) CallOption { return CallOption{kind: optMaxSend, n: n} }

// Codec encodes and decodes the call's messages instead of
// ChannelConfig.Codec.
func Codec(c encoding.Codec) CallOption { return CallOption{kind: optCodec, codec: c} }

// callParams is what the options of one call say. Zero fields mean the
// channel's.
type callParams struct {
	codec          encoding.Codec
	compressor     encoding.Compressor
	maxReceive     int
	maxSend        int
	waitForReady   bool
	receiveHeader  *metadata.MD
	receiveTrailer *metadata.MD
	// driven is set for a call that is driven.
	driven *drivenStreams
}

// apply returns md with the headers among opts appended.
func (p *callParams) apply(md metadata.MD, opts []CallOption) metadata.MD {
	if md == nil && len(opts) > 0 && opts[0].kind == optHeader {
		md = make(metadata.MD, 0, len(opts))
	}
	for i := range opts {
		o := &opts[i]
		switch o.kind {
		case optHeader:
			md = append(md, o.field)
		case optReceiveHeader:
			p.receiveHeader = o.md
		case optReceiveTrailer:
			p.receiveTrailer = o.md
		case optWaitForReady:
			p.waitForReady = true
		case optCompress:
			p.compressor = o.compressor
		case optMaxReceive:
			if o.n > 0 {
				p.maxReceive = o.n
			}
		case optMaxSend:
			if o.n > 0 {
				p.maxSend = o.n
			}
		case optCodec:
			p.codec = o.codec
		}
	}
	return md
}

// limits are the message limits of one side, with what waits for them.
type limits struct {
	receive, send int
	// oneMessage and onlyMessage are envelope's for receive.
	oneMessage, onlyMessage envelope.Demand
}

// The message limits that zero stands for, in bytes.
const (
	// DefaultMaxReceiveBytes limits a message that is received.
	DefaultMaxReceiveBytes = 4 << 20
	// DefaultMaxSendBytes limits a message that is sent. It is larger, because
	// what this program sends is its own choice.
	DefaultMaxSendBytes = 64 << 20
)

func newLimits(receive, send int) limits {
	if receive <= 0 {
		receive = DefaultMaxReceiveBytes
	}
	if send <= 0 {
		send = DefaultMaxSendBytes
	}
	return limits{
		receive: receive, send: send,
		oneMessage: envelope.OneMessage(receive), onlyMessage: envelope.OnlyMessage(receive),
	}
}

func (l *limits) demand(only bool) envelope.Demand {
	if only {
		return l.onlyMessage
	}
	return l.oneMessage
}
