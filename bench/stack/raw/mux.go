// Package raw is the floors: the least that a program can do which sends bytes
// over TCP and gets them back, without protobuf and without HTTP/2.
package raw

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"

	"github.com/yodelrpc/yodel/bench/benchpb"
	"github.com/yodelrpc/yodel/bench/stack"
)

// Mux has numbered messages on one connection, one write for all that wait, and
// a goroutine for each request: the plain way to multiplex.
type Mux struct{}

var _ stack.Stack = Mux{}

// Name implements [stack.Stack].
func (Mux) Name() string { return "rawmux" }

const (
	headBytes  = 8 // the body's length and the number of the call
	readBuffer = 64 << 10
)

// Serve implements [stack.Stack].
func (Mux) Serve(lis net.Listener, o stack.Options) error {
	echo := &stack.Echo{Work: o.Work}
	return acceptAll(lis, o, func(c net.Conn) {
		out := &combiner{conn: c}
		_ = messages(c, func(call uint32, body []byte) {
			go func() {
				echo.Do()
				out.send(call, body)
			}()
		})
	})
}

// messages reads a connection to its end. A body belongs to got.
func messages(c net.Conn, got func(call uint32, body []byte)) error {
	in := bufio.NewReaderSize(c, readBuffer)
	var head [headBytes]byte
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return err
		}
		body := make([]byte, binary.LittleEndian.Uint32(head[:]))
		if _, err := io.ReadFull(in, body); err != nil {
			return err
		}
		got(binary.LittleEndian.Uint32(head[4:]), body)
	}
}

// combiner writes what several goroutines send: who finds nobody writing writes
// for all.
type combiner struct {
	conn net.Conn

	mu      sync.Mutex
	writing bool
	waiting []byte
	spare   []byte
}

func (w *combiner) send(call uint32, body []byte) {
	w.mu.Lock()
	w.waiting = binary.LittleEndian.AppendUint32(w.waiting, uint32(len(body)))
	w.waiting = binary.LittleEndian.AppendUint32(w.waiting, call)
	w.waiting = append(w.waiting, body...)
	if w.writing {
		w.mu.Unlock()
		return
	}
	w.writing = true
	for len(w.waiting) > 0 {
		batch := w.waiting
		w.waiting = w.spare[:0]
		w.mu.Unlock()
		// A failed write shows on the reading side.
		_, _ = w.conn.Write(batch)
		w.mu.Lock()
		w.spare = batch
	}
	w.writing = false
	w.mu.Unlock()
}

// Dial implements [stack.Stack].
func (Mux) Dial(address string, o stack.Options) (stack.Conn, error) {
	if o.Annotate {
		return nil, errors.ErrUnsupported
	}
	dial, err := stack.Dialer(o)
	if err != nil {
		return nil, err
	}
	raw, err := dial(context.Background(), address)
	if err != nil {
		return nil, err
	}
	c := &mux{out: combiner{conn: raw}, calls: make(map[uint32]chan []byte)}
	go c.read()
	return c, nil
}

type mux struct {
	stack.UnaryOnly

	out combiner

	mu     sync.Mutex
	next   uint32
	calls  map[uint32]chan []byte
	failed bool
	spare  sync.Pool
}

var _ stack.Conn = (*mux)(nil)

var errEnded = errors.New("the connection has ended")

func (c *mux) read() {
	_ = messages(c.out.conn, func(call uint32, body []byte) {
		c.mu.Lock()
		answer := c.calls[call]
		delete(c.calls, call)
		c.mu.Unlock()
		if answer != nil {
			answer <- body
		}
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = true
	for _, answer := range c.calls {
		close(answer)
	}
	clear(c.calls)
}

func (c *mux) Say(_ context.Context, req *benchpb.Msg) (*benchpb.Msg, error) {
	answer, ok := c.spare.Get().(chan []byte)
	if !ok {
		answer = make(chan []byte, 1)
	}
	c.mu.Lock()
	if c.failed {
		c.mu.Unlock()
		return nil, errEnded
	}
	c.next++
	call := c.next
	c.calls[call] = answer
	c.mu.Unlock()
	c.out.send(call, req.GetBody())
	body, ok := <-answer
	if !ok {
		return nil, errEnded
	}
	c.spare.Put(answer)
	return &benchpb.Msg{Body: body}, nil
}

func (c *mux) Close() error { return c.out.conn.Close() }
