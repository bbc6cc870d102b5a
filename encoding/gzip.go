package encoding

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
)

// Identity is the name of no compression at all.
const Identity = "identity"

// ErrTooLarge is what a Compressor's Decompress returns, perhaps wrapped, when
// the output would be larger than its limit.
var ErrTooLarge = errors.New("the decompressed message is larger than its limit")

// Compressor compresses and decompresses single messages. All methods must be
// safe for concurrent use.
type Compressor interface {
	// Name is how grpc-encoding and grpc-accept-encoding call it.
	Name() string
	// Compress appends to dst what src compresses to. It keeps neither.
	Compress(dst, src []byte) ([]byte, error)
	// Decompress appends to dst what src decompresses to. It must stop as soon
	// as that is more than limit bytes, not look afterwards: the peer chooses
	// how much comes out of how little. It then returns ErrTooLarge. It keeps
	// neither slice.
	Decompress(dst, src []byte, limit int) ([]byte, error)
}

var _ Compressor = (*Gzip)(nil)

// Gzip is the compression that every gRPC implementation has. The zero value
// is ready to use; it must not be copied after its first use.
//
// It keeps the state of compressions that have ended for the next ones, until
// the garbage collector wants it: 41 KiB for each decompression that ran at the
// same time, and 800 KiB (1.2 MiB at Level 1) for each compression.
type Gzip struct {
	// Level is from 1, the fastest, to 9, the smallest; 0 means 6.
	Level int

	writers sync.Pool
	readers sync.Pool
}

// Name returns "gzip".
func (*Gzip) Name() string { return "gzip" }

// gzipWriter is a gzip.Writer and what it appends to.
type gzipWriter struct {
	gz  *gzip.Writer
	out []byte
}

func (w *gzipWriter) Write(p []byte) (int, error) {
	w.out = append(w.out, p...)
	return len(p), nil
}

// Compress implements [Compressor].
func (g *Gzip) Compress(dst, src []byte) ([]byte, error) {
	w, err := g.writer()
	if err != nil {
		return dst, err
	}
	w.out = dst
	w.gz.Reset(w)
	_, err = w.gz.Write(src)
	if err == nil {
		err = w.gz.Close()
	}
	out := w.out
	w.out = nil
	g.writers.Put(w)
	if err != nil {
		return dst, fmt.Errorf("gzip: %w", err)
	}
	return out, nil
}

func (g *Gzip) writer() (*gzipWriter, error) {
	if w, ok := g.writers.Get().(*gzipWriter); ok {
		return w, nil
	}
	level := g.Level
	if level == 0 {
		level = gzip.DefaultCompression
	}
	w := &gzipWriter{}
	gz, err := gzip.NewWriterLevel(w, level)
	if err != nil {
		return nil, fmt.Errorf("encoding.Gzip has the level %d: want 1 to 9, or 0 for the default", g.Level)
	}
	w.gz = gz
	return w, nil
}

// gzipReader is a gzip.Reader and what it reads.
type gzipReader struct {
	gz gzip.Reader
	in bytes.Reader
}

// Decompress implements [Compressor].
func (g *Gzip) Decompress(dst, src []byte, limit int) ([]byte, error) {
	r, ok := g.readers.Get().(*gzipReader)
	if !ok {
		r = &gzipReader{}
	}
	out, err := r.decompress(dst, src, limit)
	r.in.Reset(nil)
	g.readers.Put(r)
	if err != nil {
		return dst, err
	}
	return out, nil
}

func (r *gzipReader) decompress(dst, src []byte, limit int) ([]byte, error) {
	r.in.Reset(src)
	if err := r.gz.Reset(&r.in); err != nil {
		return dst, notGzip(err)
	}
	// A message is one gzip member. Others after it would let a peer make us
	// start over for every twenty bytes.
	r.gz.Multistream(false)
	at := len(dst)
	limit = max(0, min(limit, math.MaxInt-1))
	dst = slices.Grow(dst, expectedSize(src, limit))
	for {
		// One byte more than the limit tells too much from just enough.
		room := min(cap(dst)-len(dst), limit+1-(len(dst)-at))
		n, err := r.gz.Read(dst[len(dst) : len(dst)+room])
		dst = dst[:len(dst)+n]
		if len(dst)-at > limit {
			return dst, ErrTooLarge
		}
		switch {
		case err == io.EOF: //nolint:errorlint // io.Reader's contract
			if r.in.Len() > 0 {
				return dst, fmt.Errorf("gzip: %d bytes follow the compressed message", r.in.Len())
			}
			return dst, nil
		case err != nil:
			return dst, notGzip(err)
		}
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, min(len(dst)-at, limit+1-(len(dst)-at)))
		}
	}
}

func notGzip(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("gzip: %w", err)
}

// expectedSize trusts what the last four bytes of a gzip member say of its
// size (RFC 1952 §2.3.1) as far as the input makes that likely. The byte more
// lets the reader find the end without growing.
func expectedSize(src []byte, limit int) int {
	const likely, least = 8, 512
	if len(src) < 4 {
		return least
	}
	says := int64(binary.LittleEndian.Uint32(src[len(src)-4:]))
	return int(min(says, int64(limit), int64(len(src))*likely+least)) + 1
}
