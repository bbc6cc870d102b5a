package h2

import "time"

// Replies bounds the frames that the peer provoked and that wait to be written:
// acknowledgements of PING and SETTINGS, and RST_STREAM for its errors
// (CVE-2019-9512, -9514, -9515). Nothing that grows with our own load belongs
// here, WINDOW_UPDATE above all: two busy ends would stop reading each other.
//
// At a limit reading pauses, and goes on when half is written.
type Replies struct {
	limits        *Limits
	frames, bytes int
	paused        bool
	since         time.Time
}

// NewReplies returns an empty queue. The limits must have been resolved, and are not
// changed any more.
func NewReplies(l *Limits) Replies { return Replies{limits: l} }

// Queue counts a reply of n bytes, frame head included, and tells whether
// reading must pause.
func (r *Replies) Queue(n int, now time.Time) (pause bool) {
	r.frames++
	r.bytes += n
	if !r.paused && (r.frames >= r.limits.Replies || r.bytes >= r.limits.ReplyBytes) {
		r.paused, r.since = true, now
	}
	return r.paused
}

// Written counts replies that the kernel has taken, and tells whether a pause is
// over now.
func (r *Replies) Written(frames, bytes int) (resume bool) {
	r.frames = max(r.frames-frames, 0)
	r.bytes = max(r.bytes-bytes, 0)
	if r.paused && r.frames <= r.limits.Replies/2 && r.bytes <= r.limits.ReplyBytes/2 {
		r.paused = false
		return true
	}
	return false
}

// Queued is how many frames and bytes wait.
func (r *Replies) Queued() (frames, bytes int) { return r.frames, r.bytes }

// Paused tells whether reading is to pause.
func (r *Replies) Paused() bool { return r.paused }

// Deadline is when a pause turns into the end of the connection; false when
// there is none.
func (r *Replies) Deadline() (time.Time, bool) {
	return r.since.Add(r.limits.ReplyTime), r.paused && !isOff(r.limits.ReplyTime)
}
