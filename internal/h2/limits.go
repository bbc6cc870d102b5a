package h2

import (
	"math"
	"time"
)

// The defaults of Limits.
const (
	DefaultConcurrentStreams  = 1000
	DefaultRunningHandlers    = 1000
	DefaultStreamsPerTurn     = 32
	DefaultContinuations      = 8
	DefaultEmptyContinuations = 1
	DefaultServerHeaderBytes  = 16 << 10
	DefaultServerHeaderFields = 128
	DefaultClientHeaderBytes  = 64 << 10
	DefaultClientHeaderFields = 256
	DefaultHeaderMemory       = 2 << 20
	DefaultHeaderBlockRatio   = 4
	DefaultHeaderBlockTime    = 10 * time.Second
	DefaultHandshakeTime      = 10 * time.Second
	DefaultSettingsTime       = 10 * time.Second
	DefaultSettingsEntries    = 32
	DefaultResetBurst         = 2000
	DefaultResetsPerSecond    = 2000
	DefaultResetExcessTime    = 30 * time.Second
	DefaultOffendersPerSecond = 10_000
	DefaultEmptyDataBurst     = 100
	DefaultGlitchBurst        = 10_000
	DefaultGlitchesPerSecond  = 330
	DefaultPingInterval       = 5 * time.Minute
	DefaultIdlePingInterval   = 2 * time.Hour
	DefaultPingStrikes        = 2
	DefaultReplies            = 10_000
	DefaultReplyBytes         = 256 << 10
	DefaultReplyTime          = 10 * time.Second
)

// MaxPace is the longest pause in reading that a Budget asks for at a time. It is
// well below 10 s, so that the peer's keepalive gets its answers.
const MaxPace = 5 * time.Second

// Limits bound what one peer can make us hold or do. In every field zero means
// the default and a negative value that there is no limit. Use Resolve before
// reading fields.
type Limits struct {
	// ConcurrentStreams is how many streams the peer may have open: what
	// SETTINGS_MAX_CONCURRENT_STREAMS says. More are refused.
	ConcurrentStreams int
	// RunningHandlers is how many handlers may run, those of reset streams
	// included. Streams above it wait for one to return; the newest of them are
	// refused if their data leaves no room for what all running handlers wait for.
	RunningHandlers int
	// StreamsPerTurn is how many streams one turn of the read loop opens
	// before it yields.
	StreamsPerTurn int

	// Continuations is how many CONTINUATION frames a header block may have,
	// EmptyContinuations how many of them may be empty.
	Continuations, EmptyContinuations int
	// HeaderBytes is the size of a header section as RFC 9113 §6.5.2 counts
	// it, 32 bytes a field included; HeaderFields is how many fields.
	HeaderBytes, HeaderFields int
	// HeaderMemory is how many bytes, counted in the same way, the header
	// sections of all streams of a connection may hold together. Streams above
	// it are refused.
	HeaderMemory int
	// HeaderBlockBytes is the compressed size of a header block beyond which it
	// is not decoded: four times HeaderBytes by default.
	HeaderBlockBytes int
	// HeaderBlockTime is how long a header block may take to be complete.
	HeaderBlockTime time.Duration

	// HandshakeTime is how long preface and first SETTINGS may take together.
	HandshakeTime time.Duration
	// SettingsTime is how long the peer may take to acknowledge SETTINGS.
	SettingsTime time.Duration
	// SettingsEntries is how many entries a SETTINGS frame may have.
	SettingsEntries int

	// ResetBurst and ResetsPerSecond bound streams that end by RST_STREAM
	// before response headers, or that the peer makes us reset or refuse.
	// Beyond them reading is paced; ResetExcessTime of nothing else closes
	// the connection.
	ResetBurst, ResetsPerSecond int
	ResetExcessTime             time.Duration
	// OffendersPerSecond bounds the same acts of all connections of a listener
	// together that are beyond their own limit: many attackers are paced more
	// than one.
	OffendersPerSecond int
	// EmptyDataBurst bounds empty DATA frames in excess of delivered messages.
	EmptyDataBurst int
	// GlitchBurst and GlitchesPerSecond bound all other frames that cost us
	// something and carry nothing.
	GlitchBurst, GlitchesPerSecond int

	// PingInterval is how far apart a client's PINGs must be that follow no
	// HEADERS or DATA of ours, IdlePingInterval the same while no stream is
	// open. PingStrikes is how many that come too early are let pass.
	PingInterval, IdlePingInterval time.Duration
	PingStrikes                    int

	// Replies and ReplyBytes bound frames that the peer provoked and that wait
	// to be written: at either of them reading pauses. ReplyTime is how long the
	// peer may then take to read them.
	Replies, ReplyBytes int
	ReplyTime           time.Duration
}

// Resolve returns the limits with every zero field set to its default for
// role, our end of the connection, and every negative one to the highest value
// of its type.
func (l Limits) Resolve(role Role) Limits {
	headerBytes, headerFields := DefaultServerHeaderBytes, DefaultServerHeaderFields
	if role == Client {
		headerBytes, headerFields = DefaultClientHeaderBytes, DefaultClientHeaderFields
	}
	resolve(&l.ConcurrentStreams, DefaultConcurrentStreams)
	resolve(&l.RunningHandlers, DefaultRunningHandlers)
	resolve(&l.StreamsPerTurn, DefaultStreamsPerTurn)
	resolve(&l.Continuations, DefaultContinuations)
	resolve(&l.EmptyContinuations, DefaultEmptyContinuations)
	resolve(&l.HeaderBytes, headerBytes)
	resolve(&l.HeaderFields, headerFields)
	resolve(&l.HeaderMemory, DefaultHeaderMemory)
	resolve(&l.HeaderBlockBytes, DefaultHeaderBlockRatio*min(l.HeaderBytes, math.MaxInt/DefaultHeaderBlockRatio))
	resolve(&l.HeaderBlockTime, DefaultHeaderBlockTime)
	resolve(&l.HandshakeTime, DefaultHandshakeTime)
	resolve(&l.SettingsTime, DefaultSettingsTime)
	resolve(&l.SettingsEntries, DefaultSettingsEntries)
	resolve(&l.ResetBurst, DefaultResetBurst)
	resolve(&l.ResetsPerSecond, DefaultResetsPerSecond)
	resolve(&l.ResetExcessTime, DefaultResetExcessTime)
	resolve(&l.OffendersPerSecond, DefaultOffendersPerSecond)
	resolve(&l.EmptyDataBurst, DefaultEmptyDataBurst)
	resolve(&l.GlitchBurst, DefaultGlitchBurst)
	resolve(&l.GlitchesPerSecond, DefaultGlitchesPerSecond)
	resolve(&l.PingInterval, DefaultPingInterval)
	resolve(&l.IdlePingInterval, DefaultIdlePingInterval)
	resolve(&l.PingStrikes, DefaultPingStrikes)
	resolve(&l.Replies, DefaultReplies)
	resolve(&l.ReplyBytes, DefaultReplyBytes)
	resolve(&l.ReplyTime, DefaultReplyTime)
	return l
}

type limit interface{ int | time.Duration }

func resolve[T limit](field *T, byDefault T) {
	switch {
	case *field == 0:
		*field = byDefault
	case *field < 0:
		*field = off[T]()
	}
}

// off is the highest value of its type, which nothing reaches: as a
// time.Duration it is 292 years, where an int has 32 bits too.
func off[T limit]() T {
	n := math.MaxInt // a constant would have to fit both types
	highest := T(n)
	if d, ok := any(&highest).(*time.Duration); ok {
		*d = math.MaxInt64
	}
	return highest
}

// isOff tells a field that was negative before Resolve.
func isOff[T limit](field T) bool { return field == off[T]() }
