package h2

import "time"

const (
	// DefaultMaxWindow is how far in bytes an Estimator lets windows grow.
	DefaultMaxWindow = 16 << 20
	// sampleShare is the part of the window, one in so many, that must arrive
	// to make a round trip worth a PING: calls that never come near the window
	// need no larger one.
	sampleShare = 4
	// maxStarved bounds in bytes how far windows grow for receivers that starve.
	maxStarved = 8 << 20
	// maxSampleEvery bounds, in windows, how far samples that led to nothing
	// push the next one away.
	maxSampleEvery = 16
)

// Estimator finds the receive window that keeps the connection busy: the
// bandwidth-delay product. It counts the bytes that arrive during one round
// trip, measured with a PING. Bytes that come near the window, at more
// bandwidth than ever before, mean that the window held the peer back.
//
// A sample starts on DATA only. A server that counts PINGs (gRFC A8) forgives
// those that come after DATA of its own.
type Estimator struct {
	window, max int
	// waiting counts bytes since the last sample; at sampleAt the next starts.
	waiting, sampleAt int64
	sampling          bool
	// sample counts bytes since the PING was sent, at sentAt.
	sample int64
	sentAt time.Time
	// best is the highest bandwidth seen, in bytes a second.
	best float64
}

// NewEstimator returns an Estimator for a connection whose window is window
// bytes. It grows up to most bytes; zero means DefaultMaxWindow, and most not
// above window that there are no samples and no growth.
func NewEstimator(window, most int) Estimator {
	if most == 0 {
		most = DefaultMaxWindow
	}
	return Estimator{window: window, max: min(most, MaxRecvWindow), sampleAt: int64(window) / sampleShare}
}

// Window is the window in bytes that has been found so far.
func (e *Estimator) Window() int { return e.window }

// Data is a DATA frame of n flow-controlled bytes; now is asked for the time only
// when a sample starts. If ping is true, a PING of
// kind PingBandwidth must be sent now.
func (e *Estimator) Data(n int, now func() time.Time) (ping bool) {
	if e.sampling {
		e.sample += int64(n)
		return false
	}
	if e.window >= e.max || n <= 0 {
		return false
	}
	e.waiting += int64(n)
	if e.waiting < e.sampleAt {
		return false
	}
	e.waiting, e.sample = 0, 0
	e.sampling, e.sentAt = true, now()
	return true
}

// Starved says that a receiver has waited because its peer had used up the stream's
// window, and was told of new credit too late. That need not be the network's fault: a
// process waits for a processor, or for its garbage collector. If grown is true, the
// windows should Grow to window bytes.
func (e *Estimator) Starved() (window int, grown bool) {
	most := min(e.max, maxStarved)
	if e.window >= most {
		return e.window, false
	}
	e.window = min(2*e.window, most)
	return e.window, true
}

// Ack is the answer to the PING. If grown is true, the windows of the
// connection and of its streams should Grow to window bytes.
func (e *Estimator) Ack(now time.Time) (window int, grown bool) {
	if !e.sampling {
		return e.window, false
	}
	e.sampling = false
	elapsed := max(now.Sub(e.sentAt), time.Microsecond)
	bandwidth := float64(e.sample) / elapsed.Seconds()
	faster := bandwidth > e.best
	e.best = max(e.best, bandwidth)
	// Two thirds: the updates of a window that limits are on their way for
	// part of the round trip.
	full := int64(e.window)
	if faster && e.sample >= full-full/3 {
		full = min(2*max(e.sample, full), int64(e.max))
		e.window, e.sampleAt = int(full), full/sampleShare
		return e.window, true
	}
	// The window is not what limits: ask less and less often.
	e.sampleAt = min(2*e.sampleAt, maxSampleEvery*full)
	return e.window, false
}
