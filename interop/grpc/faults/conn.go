package faults

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// initialWindow is what RFC 9113 §6.9.2 gives every stream and connection.
const initialWindow = 65535

// conn is the server's end of one connection. A goroutine reads it, answers
// SETTINGS and PING, gives back the credit of what arrives, and remembers the
// requests; the script does the rest.
type conn struct {
	raw     net.Conn
	framer  *http2.Framer
	writing sync.Mutex // guards framer's writing half, and encoder
	block   bytes.Buffer
	encoder *hpack.Encoder

	mu sync.Mutex
	// changed is closed and replaced when any of these changes.
	changed chan struct{}
	err     error
	credit  int64
	initial int64
	streams map[uint32]*stream
	open    int
	most    int // streams that were open at once
	last    uint32
	acked   map[[8]byte]bool
	// requests are the streams whose requests are complete.
	requests []uint32
}

// stream is what the server may still send on a stream.
type stream struct{ credit int64 }

// newConn reads the client's preface and sends settings.
func newConn(raw net.Conn, settings ...http2.Setting) (*conn, error) {
	preface := make([]byte, len(http2.ClientPreface))
	for n := 0; n < len(preface); {
		read, err := raw.Read(preface[n:])
		if err != nil {
			return nil, err
		}
		n += read
	}
	if string(preface) != http2.ClientPreface {
		return nil, errors.New("the client's preface is none")
	}
	c := &conn{
		raw: raw, framer: http2.NewFramer(raw, raw), changed: make(chan struct{}),
		credit: initialWindow, initial: initialWindow, streams: make(map[uint32]*stream), acked: make(map[[8]byte]bool),
	}
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.encoder = hpack.NewEncoder(&c.block)
	return c, c.framer.WriteSettings(settings...)
}

// read reads frames until the connection ends.
func (c *conn) read() {
	for {
		f, err := c.framer.ReadFrame()
		if err == nil {
			err = c.take(f)
		}
		if err != nil {
			c.update(func() { c.err = err })
			return
		}
	}
}

// update changes what mu guards, and tells who waits for a change.
func (c *conn) update(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

// wait waits until done says so, with mu.
func (c *conn) wait(ctx context.Context, what string, done func() bool) error {
	for {
		c.mu.Lock()
		ok, err, changed := done(), c.err, c.changed
		c.mu.Unlock()
		switch {
		case ok:
			return nil
		case err != nil:
			return fmt.Errorf("the connection ended before %s: %w", what, err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the server waits in vain for %s: %w", what, ctx.Err())
		}
	}
}

func (c *conn) take(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.SettingsFrame:
		return c.takeSettings(f)
	case *http2.PingFrame:
		if f.IsAck() {
			c.update(func() { c.acked[f.Data] = true })
			return nil
		}
		return c.write(func() error { return c.framer.WritePing(true, f.Data) })
	case *http2.WindowUpdateFrame:
		c.update(func() {
			if f.StreamID == 0 {
				c.credit += int64(f.Increment)
			} else if s := c.streams[f.StreamID]; s != nil {
				s.credit += int64(f.Increment)
			}
		})
	case *http2.MetaHeadersFrame:
		c.update(func() {
			c.streams[f.StreamID] = &stream{credit: c.initial}
			c.last = f.StreamID
			c.open++
			c.most = max(c.most, c.open)
		})
		c.requested(f.StreamID, f.StreamEnded())
	case *http2.DataFrame:
		c.requested(f.StreamID, f.StreamEnded())
		return c.giveBack(f)
	}
	return nil
}

func (c *conn) takeSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	c.update(func() {
		if v, ok := f.Value(http2.SettingInitialWindowSize); ok {
			for _, s := range c.streams {
				s.credit += int64(v) - c.initial
			}
			c.initial = int64(v)
		}
	})
	return c.write(c.framer.WriteSettingsAck)
}

// giveBack credits what a DATA frame has used up.
func (c *conn) giveBack(f *http2.DataFrame) error {
	n := f.Header().Length
	if n == 0 {
		return nil
	}
	return c.write(func() error {
		return errors.Join(c.framer.WriteWindowUpdate(0, n), c.framer.WriteWindowUpdate(f.StreamID, n))
	})
}

// requested tells the script of a request that is complete.
func (c *conn) requested(id uint32, complete bool) {
	if complete {
		c.update(func() { c.requests = append(c.requests, id) })
	}
}

func (c *conn) write(f func() error) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return f()
}

// request waits for the next complete request.
func (c *conn) request(ctx context.Context) (uint32, error) {
	var id uint32
	err := c.wait(ctx, "a request", func() bool {
		if len(c.requests) == 0 {
			return false
		}
		id, c.requests = c.requests[0], c.requests[1:]
		return true
	})
	return id, err
}

// ping sends a PING and waits for its acknowledgement.
func (c *conn) ping(ctx context.Context, n uint64) error {
	var data [8]byte
	binary.BigEndian.PutUint64(data[:], n)
	if err := c.write(func() error { return c.framer.WritePing(false, data) }); err != nil {
		return err
	}
	return c.wait(ctx, "the acknowledgement of a PING", func() bool { return c.acked[data] })
}

// section sends a header or trailer section. A trailer section ends the stream.
func (c *conn) section(id uint32, end bool, fields ...hpack.HeaderField) error {
	if end {
		c.update(func() { c.open-- })
	}
	return c.write(func() error {
		c.block.Reset()
		for _, f := range fields {
			if err := c.encoder.WriteField(f); err != nil {
				return err
			}
		}
		return c.framer.WriteHeaders(http2.HeadersFrameParam{
			StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: end,
		})
	})
}

func (c *conn) headers(id uint32) error {
	return c.section(id, false, hpack.HeaderField{Name: ":status", Value: "200"}, hpack.HeaderField{Name: "content-type", Value: "application/grpc"})
}

func (c *conn) trailers(id uint32) error {
	return c.section(id, true, hpack.HeaderField{Name: "grpc-status", Value: "0"})
}

// data sends b in frames of at most size bytes, as the client's windows allow.
// Each is longer by pad bytes: 0, or the byte that counts the padding, and
// pad-1 bytes of it.
func (c *conn) data(ctx context.Context, id uint32, b []byte, size, pad int) error {
	for len(b) > 0 {
		n := min(size, len(b))
		uses := int64(n + pad)
		err := c.wait(ctx, "credit", func() bool {
			s := c.streams[id]
			if s.credit < uses || c.credit < uses {
				return false
			}
			s.credit -= uses
			c.credit -= uses
			return true
		})
		if err != nil {
			return err
		}
		err = c.write(func() error {
			if pad == 0 {
				return c.framer.WriteData(id, false, b[:n])
			}
			return c.framer.WriteDataPadded(id, false, b[:n], make([]byte, pad-1))
		})
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// reset ends a stream with RST_STREAM(NO_ERROR).
func (c *conn) reset(id uint32) error {
	c.update(func() { c.open-- })
	return c.write(func() error { return c.framer.WriteRSTStream(id, http2.ErrCodeNo) })
}

func (c *conn) goAway(last uint32) error {
	return c.write(func() error { return c.framer.WriteGoAway(last, http2.ErrCodeNo, nil) })
}
