package http2_test

import (
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// fuzzConfig is small enough for short inputs to come to its limits.
var fuzzConfig = http2.Config{
	StreamWindow: 2000, ConnWindow: 70_000, MaxUnread: 5000, MaxQueued: 2000,
	Limits: http2.Limits{
		ConcurrentStreams: 5, RunningHandlers: 3, StreamsPerTurn: 2, Continuations: 3, HeaderBytes: 1000, HeaderFields: 20,
		ResetBurst: 5, EmptyDataBurst: 5, GlitchBurst: 10, GlitchesPerSecond: 5, Replies: 5, ReplyBytes: 500, PingStrikes: 10,
	},
}

// drain reads whatever the other side says, until it has no more to say.
func drain(nc io.Reader, done chan<- struct{}) {
	var b [4096]byte
	for {
		if _, err := nc.Read(b[:]); err != nil {
			close(done)
			return
		}
	}
}

// writePieces writes data in pieces whose sizes come from how: 0 is all at once.
func writePieces(nc io.Writer, data []byte, how byte) {
	size := len(data)
	if how > 0 {
		size = int(how)
	}
	for len(data) > 0 {
		n := min(size, len(data))
		if _, err := nc.Write(data[:n]); err != nil {
			return
		}
		data = data[n:]
		if how > 0 {
			time.Sleep(time.Millisecond) // virtual: the other side sees each piece by itself
		}
	}
}

func limited(f *testing.F, data []byte, how byte) {
	if len(data) < 1<<15 {
		f.Add(data, how)
	}
}

// FuzzServerConn feeds a server any bytes: it must not panic, and once the client
// is gone nothing of it may be left.
func FuzzServerConn(f *testing.F) {
	hello := join([]byte(clientPreface), settings(), settingsAck())
	for i, tt := range serverCases {
		limited(f, join(hello, tt.frames), byte(i%3*7))
	}
	for _, tt := range serverLimits {
		limited(f, join(hello, tt.frames), 0)
	}
	limited(f, []byte("GET / HTTP/1.1\r\n\r\n"), 0)
	limited(f, []byte(clientPreface), 1)
	limited(f, join(hello, goAway(0, frame.CodeNo), get(1), opened(3), data(3, "hello", 0), reset(3, frame.CodeCancel), window(0, 100), ping("12345678")), 5)
	f.Fuzz(func(t *testing.T, data []byte, how byte) {
		if len(data) > 1<<16 {
			return
		}
		bubble(t, func(t *testing.T) {
			s := serve(t, fuzzConfig, func(s transport.Stream, h *transport.Header) {
				if len(h.Block.Path)%2 == 0 {
					duplex(s, h)
					return
				}
				echo(s, h)
			})
			read := make(chan struct{})
			go drain(s.end, read)
			writePieces(s.end, data, how)
			synctest.Wait()
			if how%2 == 1 {
				s.stop() // drain
				time.Sleep(20 * time.Second)
			}
			_ = s.close()
			<-read
		})
	})
}

// FuzzClientConn feeds a client with two calls in flight any answer.
func FuzzClientConn(f *testing.F) {
	for i, tt := range clientCases {
		limited(f, join(settings(), settingsAck(), tt.frames), byte(i%3*7))
	}
	limited(f, join(settings(3, 1, 4, 3), settingsAck(), answer(1, "x"), settings(4, 100), answer(3, "y")), 0)
	limited(f, join(settings(), settingsAck(), answer(3, "y"), answer(1, "x"), goAway(3, frame.CodeNo)), 3)
	f.Fuzz(func(t *testing.T, data []byte, how byte) {
		if len(data) > 1<<16 {
			return
		}
		bubble(t, func(t *testing.T) {
			near, far := newPipe(pipeSize)
			read := make(chan struct{})
			go drain(far, read)
			go func() {
				writePieces(far, data, how)
				time.Sleep(20 * time.Second)
				_ = far.Close()
			}()
			conn, err := dialPipe(near, fuzzConfig, newRecordEvents())
			if err != nil {
				_ = far.Close()
				<-read
				return
			}
			var group sync.WaitGroup
			for _, body := range []string{"", "a body of some bytes"} {
				group.Go(func() {
					r := callNow(context.Background(), conn, body)
					if r.err == nil && r.status == 0 {
						t.Errorf("a call ended well with %v", r)
					}
				})
			}
			group.Wait()
			<-conn.Done()
			if b := http2.BooksOf(conn); b.Streams+b.Active+b.Openings+b.FlushWaiters+b.Queued > 0 {
				t.Errorf("at its end the connection has %+v", b)
			}
			<-read
		})
	})
}

// twoEnds plays a list of operations on a client and a server of ours.
type twoEnds struct {
	t       *testing.T
	conn    transport.Conn
	lis     *http2.Listener
	near    *pipeEnd
	streams []*openStream
	group   sync.WaitGroup
}

// openStream is a stream whose receiving side runs by itself.
type openStream struct {
	s      transport.Stream
	cancel context.CancelFunc
	ctx    context.Context
	sent   int
	ended  bool
}

func (e *twoEnds) step(op, arg byte) {
	if op%8 == 0 || len(e.streams) == 0 {
		e.open(int(arg))
		return
	}
	o := e.streams[int(arg)%len(e.streams)]
	switch op % 8 {
	case 1, 2:
		n := int(arg) << (op / 8 % 8)
		err := o.s.Send(o.ctx, &transport.Outgoing{Data: make([]byte, n), End: op >= 128})
		if err == nil {
			o.sent += n
			o.ended = o.ended || op >= 128
		}
	case 3:
		o.cancel()
	case 4:
		o.s.Reset(transport.ReasonCanceled)
	case 5:
		time.Sleep(time.Duration(arg) * time.Millisecond)
	case 6:
		switch {
		case op < 32:
			e.lis.Drain()
		case op < 64:
			e.conn.Drain()
		case op < 96:
			e.near.cut()
		case op < 128:
			e.near.out.breakAfter(int(arg))
		}
	case 7:
		_ = o.s.Send(o.ctx, &transport.Outgoing{End: true})
	}
}

func (e *twoEnds) open(body int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	s, err := e.conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}, Data: make([]byte, body)})
	if err != nil {
		cancel()
		return
	}
	o := &openStream{s: s, ctx: ctx, cancel: cancel, sent: body}
	e.streams = append(e.streams, o)
	e.group.Go(func() {
		defer cancel()
		for {
			got, ended, err := s.Await(ctx, something)
			if err != nil || ended && len(got) == 0 {
				if err == nil && s.Trailer() == nil {
					e.t.Error("a stream ended well without its trailers")
				}
				return
			}
			s.Discard(len(got))
		}
	})
}

// FuzzTwoEnds plays operations between our client and our server over a pipe
// that may break: nothing panics, hangs or stays.
func FuzzTwoEnds(f *testing.F) {
	f.Add([]byte("\x00\x05\x01\x10\x85\x00\x07\x00"), byte(0))
	f.Add([]byte("\x00\xff\x39\xff\x39\xff\x39\xff\x03\x00\x00\x01\x81\x10"), byte(1))
	f.Add([]byte("\x00\x05\x00\x05\x00\x05\x00\x05\x00\x05\x00\x05\x06\x00\x05\xff"), byte(2))
	f.Add([]byte("\x00\x05\x29\x40\x46\x00\x00\x00"), byte(3))
	f.Add([]byte("\x00\x05\x29\x40\x66\x20\x39\xff\x39\xff\x05\x05"), byte(0))
	f.Add([]byte("\x00\x05\x39\xff\x26\x00\x39\xff\x07\x00"), byte(1))
	f.Fuzz(func(t *testing.T, ops []byte, how byte) {
		if len(ops) > 200 {
			return
		}
		bubble(t, func(t *testing.T) {
			l := newPipeListener([]int{64, 1000, 1 << 16, 1 << 20}[how%4])
			e := &twoEnds{t: t}
			l.onPipe = func(near, _ *pipeEnd) {
				e.near = near
				near.out.onBreak = near.cut
			}
			cfg := fuzzConfig
			cfg.Limits = http2.Limits{ConcurrentStreams: 4, RunningHandlers: 2}
			p := newBubblePair(t, l, handlerFunc(duplex), cfg, cfg)
			e.conn, e.lis = p.conn, p.lis
			for ; len(ops) >= 2; ops = ops[2:] {
				e.step(ops[0], ops[1])
			}
			for _, o := range e.streams {
				_ = o.s.Send(o.ctx, &transport.Outgoing{End: true})
			}
			e.group.Wait()
			for _, o := range e.streams {
				o.s.Close()
			}
			time.Sleep(time.Second)
			if b := http2.BooksOf(p.conn); b.Streams+b.Active+b.Unread+b.Blocked+b.Openings > 0 {
				t.Errorf("after all streams have ended: %+v", b)
			}
			p.close()
		})
	})
}
