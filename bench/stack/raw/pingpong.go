package raw

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"

	"github.com/yodelrpc/yodel/bench/benchpb"
	"github.com/yodelrpc/yodel/bench/stack"
)

// PingPong writes a length and the bytes, and waits for the same: one caller a
// connection, memory that is reused, nothing else.
type PingPong struct{}

var _ stack.Stack = PingPong{}

// Name implements [stack.Stack].
func (PingPong) Name() string { return "rawpp" }

// lengthBytes is a message's length on the wire, ahead of it.
const lengthBytes = 4

// Serve implements [stack.Stack].
func (PingPong) Serve(lis net.Listener, o stack.Options) error {
	echo := &stack.Echo{Work: o.Work}
	return acceptAll(lis, o, func(c net.Conn) {
		p := &line{conn: c}
		for {
			body, err := p.receive()
			if err != nil {
				return
			}
			echo.Do()
			if err := p.send(body); err != nil {
				return
			}
		}
	})
}

// acceptAll serves each connection until it ends.
func acceptAll(lis net.Listener, o stack.Options, serve func(net.Conn)) error {
	lis, err := stack.Listener(lis, o)
	if err != nil {
		return err
	}
	for {
		c, err := lis.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			serve(c)
		}()
	}
}

// line is a connection with the memory of its messages.
type line struct {
	conn    net.Conn
	in, out []byte
	// from and to are what of in is unread.
	from, to int
}

// receive returns a body, which is valid until the next call.
func (l *line) receive() ([]byte, error) {
	if err := l.fill(lengthBytes); err != nil {
		return nil, err
	}
	n := int(binary.LittleEndian.Uint32(l.in[l.from:]))
	l.from += lengthBytes
	if err := l.fill(n); err != nil {
		return nil, err
	}
	body := l.in[l.from : l.from+n]
	l.from += n
	return body, nil
}

// fill reads until n bytes are there.
func (l *line) fill(n int) error {
	if l.to-l.from >= n {
		return nil
	}
	copy(l.in, l.in[l.from:l.to])
	l.from, l.to = 0, l.to-l.from
	if need := n + lengthBytes; len(l.in) < need {
		l.in = append(l.in, make([]byte, max(need, 4<<10)-len(l.in))...)
	}
	read, err := io.ReadAtLeast(l.conn, l.in[l.to:], n-l.to)
	l.to += read
	return err
}

func (l *line) send(body []byte) error {
	l.out = append(binary.LittleEndian.AppendUint32(l.out[:0], uint32(len(body))), body...)
	_, err := l.conn.Write(l.out)
	return err
}

// Close closes the connection.
func (l *line) Close() error { return l.conn.Close() }

// Exchange implements [stack.Chat].
func (l *line) Exchange(req *benchpb.Msg) (*benchpb.Msg, error) {
	if err := l.send(req.GetBody()); err != nil {
		return nil, err
	}
	body, err := l.receive()
	return &benchpb.Msg{Body: body}, err
}

// Dial implements [stack.Stack].
func (PingPong) Dial(address string, o stack.Options) (stack.Conn, error) {
	if o.Annotate {
		return nil, errors.ErrUnsupported
	}
	dial, err := stack.Dialer(o)
	if err != nil {
		return nil, err
	}
	c := &pingPong{}
	c.pool.Dial = func(ctx context.Context) (*line, error) {
		raw, err := dial(ctx, address)
		return &line{conn: raw}, err
	}
	return c, nil
}

type pingPong struct {
	stack.UnaryOnly

	pool stack.Pool[*line]
}

var _ stack.Conn = (*pingPong)(nil)

func (c *pingPong) Say(ctx context.Context, req *benchpb.Msg) (*benchpb.Msg, error) {
	l, err := c.pool.Get(ctx)
	if err != nil {
		return nil, err
	}
	resp, err := l.Exchange(req)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	c.pool.Put(l)
	return resp, nil
}

func (c *pingPong) Chat(ctx context.Context) (stack.Chat, error) { return c.pool.Get(ctx) }

func (c *pingPong) Close() error { return c.pool.Close() }
