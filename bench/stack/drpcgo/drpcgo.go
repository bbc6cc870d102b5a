// Package drpcgo is drpc as a stack. Its connections carry one call at a time,
// so each concurrent call has its own.
package drpcgo

import (
	"context"
	"errors"
	"io"
	"net"

	"google.golang.org/protobuf/proto"
	"storj.io/drpc"
	"storj.io/drpc/drpcconn"
	"storj.io/drpc/drpcmux"
	"storj.io/drpc/drpcserver"

	"github.com/yodelrpc/yodel/bench/benchpb"
	"github.com/yodelrpc/yodel/bench/stack"
)

// Stack is drpc with its defaults.
type Stack struct{}

var _ stack.Stack = Stack{}

// Name implements [stack.Stack].
func (Stack) Name() string { return "drpc" }

// Serve implements [stack.Stack].
func (Stack) Serve(lis net.Listener, o stack.Options) error {
	lis, err := stack.Listener(lis, o)
	if err != nil {
		return err
	}
	mux := drpcmux.New()
	if err := mux.Register(&echo{shared: stack.Echo{Work: o.Work}}, description{}); err != nil {
		return err
	}
	return drpcserver.New(mux).Serve(context.Background(), lis)
}

// encoding is what drpc's generator writes.
type encoding struct{}

var errMessage = errors.New("this is no protobuf message")

// MarshalAppend lets drpc reuse its buffer.
func (encoding) MarshalAppend(buf []byte, msg drpc.Message) ([]byte, error) {
	m, ok := msg.(proto.Message)
	if !ok {
		return nil, errMessage
	}
	return proto.MarshalOptions{}.MarshalAppend(buf, m)
}

// Marshal implements drpc.Encoding.
func (e encoding) Marshal(msg drpc.Message) ([]byte, error) { return e.MarshalAppend(nil, msg) }

// Unmarshal implements drpc.Encoding.
func (encoding) Unmarshal(buf []byte, msg drpc.Message) error {
	m, ok := msg.(proto.Message)
	if !ok {
		return errMessage
	}
	return proto.Unmarshal(buf, m)
}

type echo struct{ shared stack.Echo }

func (e *echo) say(_ context.Context, req *benchpb.Msg) (*benchpb.Msg, error) {
	return e.shared.Say(req), nil
}

func (*echo) chat(s drpc.Stream) error {
	for {
		req := new(benchpb.Msg)
		if err := s.MsgRecv(req, encoding{}); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := s.MsgSend(&benchpb.Msg{Body: req.GetBody()}, encoding{}); err != nil {
			return err
		}
	}
}

func (*echo) down(req *benchpb.DownRequest, s drpc.Stream) error {
	msg := stack.Down(req)
	for range req.GetMessages() {
		if err := s.MsgSend(msg, encoding{}); err != nil {
			return err
		}
	}
	return nil
}

func (*echo) up(s drpc.Stream) error {
	resp := &benchpb.UpResponse{}
	for {
		msg := new(benchpb.Msg)
		if err := s.MsgRecv(msg, encoding{}); errors.Is(err, io.EOF) {
			return s.MsgSend(resp, encoding{})
		} else if err != nil {
			return err
		}
		resp.Messages++
		resp.Bytes += int64(len(msg.GetBody()))
	}
}

const (
	sayPath  = "/yodel.bench.Echo/Say"
	chatPath = "/yodel.bench.Echo/Chat"
	downPath = "/yodel.bench.Echo/Down"
	upPath   = "/yodel.bench.Echo/Up"
)

// description is what drpc's generator writes for the service.
type description struct{}

// NumMethods implements drpc.Description.
func (description) NumMethods() int { return 4 }

var errType = errors.New("drpc has handed over a value of another type")

// Method implements drpc.Description.
func (description) Method(n int) (string, drpc.Encoding, drpc.Receiver, any, bool) {
	switch n {
	case 0:
		return sayPath, encoding{}, func(srv any, ctx context.Context, in1, _ any) (drpc.Message, error) {
			e, ok := srv.(*echo)
			req, is := in1.(*benchpb.Msg)
			if !ok || !is {
				return nil, errType
			}
			return e.say(ctx, req)
		}, (*echo).say, true
	case 1:
		return chatPath, encoding{}, streaming((*echo).chat), (*echo).chat, true
	case 2:
		return downPath, encoding{}, func(srv any, _ context.Context, in1, in2 any) (drpc.Message, error) {
			e, ok := srv.(*echo)
			req, is := in1.(*benchpb.DownRequest)
			s, does := in2.(drpc.Stream)
			if !ok || !is || !does {
				return nil, errType
			}
			return nil, e.down(req, s)
		}, (*echo).down, true
	case 3:
		return upPath, encoding{}, streaming((*echo).up), (*echo).up, true
	}
	return "", nil, nil, nil, false
}

func streaming(handle func(*echo, drpc.Stream) error) drpc.Receiver {
	return func(srv any, _ context.Context, in1, _ any) (drpc.Message, error) {
		e, ok := srv.(*echo)
		s, is := in1.(drpc.Stream)
		if !ok || !is {
			return nil, errType
		}
		return nil, handle(e, s)
	}
}

// Dial implements [stack.Stack].
func (Stack) Dial(address string, o stack.Options) (stack.Conn, error) {
	if o.Annotate {
		return nil, errors.ErrUnsupported
	}
	dial, err := stack.Dialer(o)
	if err != nil {
		return nil, err
	}
	c := &conn{}
	c.pool.Dial = func(ctx context.Context) (*drpcconn.Conn, error) {
		raw, err := dial(ctx, address)
		if err != nil {
			return nil, err
		}
		return drpcconn.New(raw), nil
	}
	return c, nil
}

type conn struct {
	pool stack.Pool[*drpcconn.Conn]
}

var _ stack.Conn = (*conn)(nil)

func (c *conn) Say(ctx context.Context, req *benchpb.Msg) (*benchpb.Msg, error) {
	d, err := c.pool.Get(ctx)
	if err != nil {
		return nil, err
	}
	resp := new(benchpb.Msg)
	if err := d.Invoke(ctx, sayPath, encoding{}, req, resp); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	c.pool.Put(d)
	return resp, nil
}

// stream runs a stream on a connection of its own.
func (c *conn) stream(ctx context.Context, path string, use func(drpc.Stream) error) error {
	d, err := c.pool.Get(ctx)
	if err != nil {
		return err
	}
	s, err := d.NewStream(ctx, path, encoding{})
	if err == nil {
		err = errors.Join(use(s), s.Close())
	}
	if err != nil {
		return errors.Join(err, d.Close())
	}
	c.pool.Put(d)
	return nil
}

func (c *conn) Chat(ctx context.Context) (stack.Chat, error) {
	d, err := c.pool.Get(ctx)
	if err != nil {
		return nil, err
	}
	s, err := d.NewStream(ctx, chatPath, encoding{})
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &chat{s}, nil
}

func (c *conn) Down(ctx context.Context, req *benchpb.DownRequest, got func(*benchpb.Msg)) error {
	return c.stream(ctx, downPath, func(s drpc.Stream) error {
		if err := s.MsgSend(req, encoding{}); err != nil {
			return err
		}
		if err := s.CloseSend(); err != nil {
			return err
		}
		for {
			msg := new(benchpb.Msg)
			if err := s.MsgRecv(msg, encoding{}); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			got(msg)
		}
	})
}

func (c *conn) Up(ctx context.Context, msg *benchpb.Msg, n int) (*benchpb.UpResponse, error) {
	resp := new(benchpb.UpResponse)
	return resp, c.stream(ctx, upPath, func(s drpc.Stream) error {
		for range n {
			if err := s.MsgSend(msg, encoding{}); err != nil {
				return err
			}
		}
		if err := s.CloseSend(); err != nil {
			return err
		}
		return s.MsgRecv(resp, encoding{})
	})
}

func (c *conn) Close() error { return c.pool.Close() }

type chat struct{ stream drpc.Stream }

func (c *chat) Exchange(req *benchpb.Msg) (*benchpb.Msg, error) {
	if err := c.stream.MsgSend(req, encoding{}); err != nil {
		return nil, err
	}
	resp := new(benchpb.Msg)
	return resp, c.stream.MsgRecv(resp, encoding{})
}

func (c *chat) Close() error { return c.stream.Close() }
