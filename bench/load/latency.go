package load

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latency is a distribution in microseconds.
type Latency struct {
	P50, P90, P99, P999, Max float64
}

// recorder collects the times of many workers. Each has a shard that it fills
// without a lock: a histogram for each would not fit into the cache.
type recorder struct {
	mu        sync.Mutex
	histogram *hdrhistogram.Histogram
	slowest   time.Duration
}

// The histogram has three digits from 100 ns to a minute.
const (
	latencyUnit  = 100 * time.Nanosecond
	latencyMost  = int64(time.Minute / latencyUnit)
	shardSamples = 128
)

func newRecorder() *recorder {
	return &recorder{histogram: hdrhistogram.New(1, latencyMost, 3)}
}

func (r *recorder) shard() *shard { return &shard{recorder: r} }

func (r *recorder) latency() Latency {
	at := func(percent float64) float64 {
		ticks := r.histogram.ValueAtQuantile(percent)
		return float64(time.Duration(ticks)*latencyUnit) / float64(time.Microsecond)
	}
	return Latency{P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: float64(r.slowest) / float64(time.Microsecond)}
}

type shard struct {
	recorder *recorder
	n        int
	samples  [shardSamples]time.Duration
}

func (s *shard) record(d time.Duration) {
	s.samples[s.n] = d
	if s.n++; s.n == shardSamples {
		s.flush()
	}
}

func (s *shard) flush() {
	r := s.recorder
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range s.samples[:s.n] {
		r.slowest = max(r.slowest, d)
		// Only a time over a minute is an error, and Max has it.
		_ = r.histogram.RecordValue(min(max(int64(d/latencyUnit), 1), latencyMost))
	}
	s.n = 0
}
