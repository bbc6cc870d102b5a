package grpcgo

import (
	"bytes"
	"io"
	"math"

	grpcencoding "google.golang.org/grpc/encoding"

	"github.com/yodelrpc/yodel/encoding"
)

// Compressor returns the compressor with a name that the program has registered
// with grpc-go, and false if there is none. It is what UseCompressor uses. To
// receive what it compresses, a channel lists it in
// yodel.ChannelConfig.Compressors and a server in
// yodel.ServerConfig.Compressors.
func Compressor(name string) (encoding.Compressor, bool) {
	c := grpcencoding.GetCompressor(name)
	if c == nil {
		return nil, false
	}
	return &compressor{c}, true
}

// compressor is one of grpc-go's, which works on streams.
type compressor struct{ grpcencoding.Compressor }

func (c *compressor) Compress(dst, src []byte) ([]byte, error) {
	out := bytes.NewBuffer(dst)
	w, err := c.Compressor.Compress(out)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(src); err != nil {
		_ = w.Close()
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (c *compressor) Decompress(dst, src []byte, limit int) ([]byte, error) {
	r, err := c.Compressor.Decompress(bytes.NewReader(src))
	if err != nil {
		return nil, err
	}
	out := bytes.NewBuffer(dst)
	// One byte over the limit is enough to know.
	most := min(int64(limit), math.MaxInt64-1)
	n, err := io.Copy(out, io.LimitReader(r, most+1))
	switch {
	case n > most:
		// The rest is left: a pooled reader of grpc-go's goes to the collector.
		return nil, encoding.ErrTooLarge
	case err != nil:
		return nil, err
	}
	return out.Bytes(), nil
}
