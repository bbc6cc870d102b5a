package http2

import (
	"slices"

	"github.com/yodelrpc/yodel/internal/buffer"
)

// pending is what waits to be written, in order: bytes, with pieces of callers'
// memory in between.
type pending struct {
	bytes []byte
	refs  []ref
	large int // bytes in refs
	done  int // bytes of all that have been written
	tail  tail

	replies replyCount
}

// replyCount is how many frames, and bytes of them, the peer provoked.
type replyCount struct{ frames, bytes int }

// ref is a piece of the memory of who sends on a stream. It goes before
// pending.bytes[at:].
type ref struct {
	at   int
	id   uint32 // the stream's
	data []byte
}

// tail is the DATA frame at the end of the bytes: more data of the same stream
// makes it longer instead of following in a frame of its own.
type tail struct {
	id         uint32 // zero if there is none
	start, end int    // in bytes, with the frame's head
}

func (p *pending) any() bool { return len(p.bytes) > 0 || len(p.refs) > 0 }

func (p *pending) size() int { return len(p.bytes) + p.large }

func (p *pending) reset() {
	if p.bytes != nil {
		buffer.Put(p.bytes)
	}
	clear(p.refs)
	*p = pending{refs: p.refs[:0]}
}

// each calls f with the pieces that have not been written, in order, until f
// returns false.
func (p *pending) each(f func([]byte) bool) {
	skip, start := p.done, 0
	rest := func(b []byte) bool {
		n := min(skip, len(b))
		skip -= n
		return n == len(b) || f(b[n:])
	}
	for i := range p.refs {
		r := &p.refs[i]
		if !rest(p.bytes[start:r.at]) || !rest(r.data) {
			return
		}
		start = r.at
	}
	rest(p.bytes[start:])
}

// copyTo fills b with what has not been written, and returns how much that is.
func (p *pending) copyTo(b []byte) (n int) {
	p.each(func(piece []byte) bool {
		n += copy(b[n:], piece)
		return n < len(b)
	})
	return n
}

// own copies what p refers to of the memory of a stream's sender.
func (p *pending) own(id uint32) {
	for i := range p.refs {
		if r := &p.refs[i]; r.id == id {
			r.data = slices.Clone(r.data)
		}
	}
}
