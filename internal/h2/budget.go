package h2

import (
	"math"
	"time"
)

// Act is something that a peer does, or makes us do, at our cost and to nobody's
// use. None of them is forbidden; many of them are an attack.
type Act uint8

// The acts. The first three share a bucket, see Limits.ResetBurst.
const (
	// ActReset is RST_STREAM received before response headers were sent
	// (CVE-2023-44487).
	ActReset Act = iota
	// ActProvokedReset is RST_STREAM sent for a stream error of the peer
	// (CVE-2025-8671).
	ActProvokedReset
	// ActRefusedStream is a stream above the limits.
	ActRefusedStream
	// ActEmptyData is DATA without data and without END_STREAM, padded or not
	// (CVE-2019-9518). See Delivered.
	ActEmptyData
	// ActUnknownFrame is a frame of an unknown type.
	ActUnknownFrame
	// ActPriority is PRIORITY (CVE-2019-9513).
	ActPriority
	// ActEmptyHeaders is a header section without fields (CVE-2019-9516), or
	// an interim response.
	ActEmptyHeaders
	// ActLateFrame is a header section for a stream that is gone, which must be
	// decoded. Other late frames are what honest peers send all the time: they
	// cannot know yet that a stream is gone.
	ActLateFrame
	// ActSettings is a SETTINGS frame (CVE-2019-9515). PING is no act: peers
	// measure bandwidth with it as fast as data flows. See PingPolicy and
	// Replies.
	ActSettings
	actCount
)

// String returns the act's name, as metrics want it.
func (a Act) String() string {
	switch a {
	case ActReset:
		return "reset"
	case ActProvokedReset:
		return "provoked_reset"
	case ActRefusedStream:
		return "refused_stream"
	case ActEmptyData:
		return "empty_data"
	case ActUnknownFrame:
		return "unknown_frame"
	case ActPriority:
		return "priority"
	case ActEmptyHeaders:
		return "empty_headers"
	case ActLateFrame:
		return "late_frame"
	case ActSettings:
		return "settings"
	}
	return "unknown"
}

// Verdict is what an act has led to. The zero value means to go on.
type Verdict struct {
	// Calm means to end the connection with ENHANCE_YOUR_CALM.
	Calm bool
	// Pace is how long not to read from the connection; at most MaxPace.
	Pace time.Duration
}

// Budget is what one connection may spend of our time on acts without use.
type Budget struct {
	resets, glitches Bucket
	emptyData        int
	maxEmptyData     int
	excessTime       time.Duration
	excessSince      time.Time
	excess           bool
	counts           [actCount]uint64
}

// NewBudget returns the budget of a fresh connection. The limits must have been
// resolved.
func NewBudget(l Limits, now time.Time) Budget {
	return Budget{
		resets:       NewBucket(l.ResetBurst, l.ResetsPerSecond, now),
		glitches:     NewBucket(l.GlitchBurst, l.GlitchesPerSecond, now),
		emptyData:    l.EmptyDataBurst,
		maxEmptyData: l.EmptyDataBurst,
		excessTime:   l.ResetExcessTime,
	}
}

// Charge counts an act.
func (b *Budget) Charge(act Act, now time.Time) Verdict {
	b.counts[act]++
	switch act {
	case ActReset, ActProvokedReset, ActRefusedStream:
		return b.chargeReset(now)
	case ActEmptyData:
		b.emptyData--
		return Verdict{Calm: b.emptyData < 0}
	}
	return Verdict{Calm: b.glitches.Take(now) > 0}
}

// Delivered says that a message arrived whole, which is what DATA is for.
func (b *Budget) Delivered() {
	if b.emptyData < b.maxEmptyData {
		b.emptyData++
	}
}

// AddCounts adds to sum, under the names of the acts, how many times each that
// occurred has been charged.
func (b *Budget) AddCounts(sum map[string]uint64) {
	for act, n := range b.counts {
		if n > 0 {
			sum[Act(act).String()] += n
		}
	}
}

// chargeReset paces a peer that resets too fast, because a client may well
// cancel all that it starts, and closes only on one that does nothing else for
// long: whose bucket does not fill to half in between.
func (b *Budget) chargeReset(now time.Time) Verdict {
	debt := b.resets.Take(now)
	if b.excess && b.resets.full(0.5) {
		b.excess = false
	}
	if debt <= 0 {
		return Verdict{}
	}
	if !b.excess {
		b.excess, b.excessSince = true, now
	}
	if now.Sub(b.excessSince) >= b.excessTime {
		return Verdict{Calm: true}
	}
	return Verdict{Pace: min(debt, MaxPace)}
}

// Bucket is a token bucket: it starts full with its burst and refills at a
// steady rate.
type Bucket struct {
	// tokens may be negative: what has happened is charged.
	tokens, burst, perSecond float64
	at                       time.Time
	off                      bool
}

// NewBucket returns a full bucket of burst tokens that gains perSecond tokens a
// second. A burst or rate that is off in Limits never runs out.
func NewBucket(burst, perSecond int, now time.Time) Bucket {
	return Bucket{
		tokens: float64(burst), burst: float64(burst), perSecond: float64(perSecond), at: now,
		off: isOff(burst) || isOff(perSecond),
	}
}

// Take takes one token, and returns zero, or how long it will take until the
// bucket is out of debt.
func (b *Bucket) Take(now time.Time) (debt time.Duration) {
	if b.off {
		return 0
	}
	if gone := now.Sub(b.at); gone > 0 {
		b.tokens = min(b.burst, b.tokens+gone.Seconds()*b.perSecond)
		b.at = now
	}
	b.tokens--
	if b.tokens >= 0 {
		return 0
	}
	seconds := -b.tokens / b.perSecond
	if seconds > math.MaxInt32 {
		return math.MaxInt32 * time.Second
	}
	return max(time.Duration(seconds*float64(time.Second)), 1)
}

// full tells whether at least part of the burst is there.
func (b *Bucket) full(part float64) bool { return b.tokens >= b.burst*part }
