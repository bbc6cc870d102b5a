package http2

import (
	"sync"
	"time"

	"github.com/yodelrpc/yodel/internal/h2"
)

// offenders paces the connections of one listener that are beyond their own
// limits together, so that many of them cost no more than a few.
type offenders struct {
	mu     sync.Mutex
	bucket h2.Bucket
}

func newOffenders(l h2.Limits) *offenders {
	return &offenders{bucket: h2.NewBucket(l.OffendersPerSecond, l.OffendersPerSecond, time.Now())}
}

// pace counts an act of an offender, and returns how long not to read from it.
// A nil receiver is a connection that has no others beside it.
func (o *offenders) pace(now time.Time) time.Duration {
	if o == nil {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return min(o.bucket.Take(now), h2.MaxPace)
}
