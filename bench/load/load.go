// Package load is the client's half of a measurement: it keeps a number of
// calls of one kind in flight for a while, and records how long each took.
package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/yodelrpc/yodel/bench/benchpb"
	"github.com/yodelrpc/yodel/bench/stack"
)

// Kind is what a worker does again and again.
type Kind string

// The kinds.
const (
	// Say makes unary calls.
	Say Kind = "say"
	// Chat exchanges messages on a stream that stays open.
	Chat Kind = "chat"
	// Down receives server streams of Workload.Messages messages, Up sends
	// client streams of as many.
	Down Kind = "down"
	Up   Kind = "up"
	// Cold makes a client, one call, and closes the client.
	Cold Kind = "cold"
)

// Workload is what a client does.
type Workload struct {
	Kind Kind
	// Bytes is the size of a message's body.
	Bytes int
	// Concurrency is how many workers there are, and Conns over how many
	// connections they are spread; zero is one.
	Concurrency, Conns int
	// Messages is how many a stream has.
	Messages int
	// Deadline gives each call one that does not pass.
	Deadline bool
}

// farDeadline is what Workload.Deadline sets.
const farDeadline = 10 * time.Second

// Result is what one run saw.
type Result struct {
	// Calls counts calls, exchanges or messages.
	Calls int64
	// Seconds is how long it took.
	Seconds float64
	// Latency is of calls, exchanges or whole streams.
	Latency Latency
}

// Client makes the calls of one process. It is used by one goroutine.
type Client struct {
	stack   stack.Stack
	address string
	options stack.Options
	conns   []stack.Conn
	chats   []stack.Chat
}

// NewClient returns a client that has not connected yet.
func NewClient(s stack.Stack, address string, o stack.Options) *Client {
	return &Client{stack: s, address: address, options: o}
}

// worker does one step and returns how many calls it was.
type worker func() (int, error)

// Run runs w for d. Connections and the streams of Chat stay open for the next
// run.
func (c *Client) Run(w Workload, d time.Duration) (Result, error) {
	workers, err := c.workers(w)
	if err != nil {
		return Result{}, err
	}
	var (
		rec   = newRecorder()
		calls atomic.Int64
		wg    sync.WaitGroup
		once  sync.Once
		first error
		stop  atomic.Bool
		began = time.Now()
		until = began.Add(d)
	)
	for _, step := range workers {
		wg.Go(func() {
			n, err := work(step, rec.shard(), until, &stop)
			calls.Add(n)
			if err != nil {
				once.Do(func() { first = err })
				stop.Store(true)
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	return Result{Calls: calls.Load(), Seconds: took.Seconds(), Latency: rec.latency()}, first
}

// work repeats step. One look at the clock ends a call and begins the next.
func work(step worker, s *shard, until time.Time, stop *atomic.Bool) (calls int64, err error) {
	defer s.flush()
	for began := time.Now(); began.Before(until) && !stop.Load(); {
		n, err := step()
		if err != nil {
			return calls, err
		}
		calls += int64(n)
		now := time.Now()
		s.record(now.Sub(began))
		began = now
	}
	return calls, nil
}

// workers returns what each worker does, with its connections and streams open.
func (c *Client) workers(w Workload) ([]worker, error) {
	n := max(w.Concurrency, 1)
	if w.Kind == Cold {
		return []worker{c.cold(w)}, nil
	}
	if err := c.connect(max(w.Conns, 1)); err != nil {
		return nil, err
	}
	if w.Kind == Chat {
		if err := c.open(n); err != nil {
			return nil, err
		}
	}
	all := make([]worker, n)
	// Nobody writes to a request: all workers can send the same one.
	msg := &benchpb.Msg{Body: make([]byte, w.Bytes)}
	for i := range all {
		conn := c.conns[i%len(c.conns)]
		switch w.Kind {
		case Say:
			all[i] = say(conn, msg, w.Deadline)
		case Chat:
			all[i] = exchange(c.chats[i], msg)
		case Down:
			all[i] = down(conn, w)
		case Up:
			all[i] = up(conn, msg, w.Messages)
		default:
			return nil, fmt.Errorf("there is no workload %q", w.Kind)
		}
	}
	return all, nil
}

// connect makes connections until there are n.
func (c *Client) connect(n int) error {
	for len(c.conns) < n {
		conn, err := c.stack.Dial(c.address, c.options)
		if err != nil {
			return err
		}
		c.conns = append(c.conns, conn)
	}
	return nil
}

// open opens chats until there are n.
func (c *Client) open(n int) error {
	for len(c.chats) < n {
		chat, err := c.conns[len(c.chats)%len(c.conns)].Chat(context.Background())
		if err != nil {
			return err
		}
		c.chats = append(c.chats, chat)
	}
	return nil
}

// HoldConns makes connections until there are n, each with one call done, and
// leaves them idle.
func (c *Client) HoldConns(n int) error {
	for len(c.conns) < n {
		if err := c.connect(len(c.conns) + 1); err != nil {
			return err
		}
		if _, err := c.conns[len(c.conns)-1].Say(context.Background(), &benchpb.Msg{Body: make([]byte, 100)}); err != nil {
			return err
		}
	}
	return nil
}

// HoldStreams opens chats on one connection until there are n, each with one
// exchange done, and leaves them idle.
func (c *Client) HoldStreams(n int) error {
	if err := c.connect(1); err != nil {
		return err
	}
	for len(c.chats) < n {
		if err := c.open(len(c.chats) + 1); err != nil {
			return err
		}
		if _, err := c.chats[len(c.chats)-1].Exchange(&benchpb.Msg{Body: make([]byte, 100)}); err != nil {
			return err
		}
	}
	return nil
}

var errSize = errors.New("an answer has not the size of its request")

// sameSize checks an answer to req.
func sameSize(req, resp *benchpb.Msg) error {
	if len(req.GetBody()) != len(resp.GetBody()) {
		return errSize
	}
	return nil
}

func say(conn stack.Conn, req *benchpb.Msg, deadline bool) worker {
	call := func(ctx context.Context) (int, error) {
		resp, err := conn.Say(ctx, req)
		if err != nil {
			return 0, err
		}
		return 1, sameSize(req, resp)
	}
	if !deadline {
		return func() (int, error) { return call(context.Background()) }
	}
	return func() (int, error) {
		ctx, cancel := context.WithTimeout(context.Background(), farDeadline)
		defer cancel()
		return call(ctx)
	}
}

func exchange(chat stack.Chat, req *benchpb.Msg) worker {
	return func() (int, error) {
		resp, err := chat.Exchange(req)
		if err != nil {
			return 0, err
		}
		return 1, sameSize(req, resp)
	}
}

func down(conn stack.Conn, w Workload) worker {
	req := &benchpb.DownRequest{Messages: int64(w.Messages), Bytes: int64(w.Bytes)}
	return func() (int, error) {
		messages, bytes := 0, 0
		err := conn.Down(context.Background(), req, func(msg *benchpb.Msg) {
			messages++
			bytes += len(msg.GetBody())
		})
		if err == nil && (messages != w.Messages || bytes != w.Messages*w.Bytes) {
			err = fmt.Errorf("%d messages with %d bytes came: %w", messages, bytes, errSize)
		}
		return messages, err
	}
}

func up(conn stack.Conn, msg *benchpb.Msg, n int) worker {
	return func() (int, error) {
		resp, err := conn.Up(context.Background(), msg, n)
		if err == nil && (resp.GetMessages() != int64(n) || resp.GetBytes() != int64(n*len(msg.GetBody()))) {
			err = fmt.Errorf("%v arrived: %w", resp, errSize)
		}
		return n, err
	}
}

func (c *Client) cold(w Workload) worker {
	req := &benchpb.Msg{Body: make([]byte, w.Bytes)}
	return func() (int, error) {
		conn, err := c.stack.Dial(c.address, c.options)
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		_, err = conn.Say(context.Background(), req)
		return 1, err
	}
}
