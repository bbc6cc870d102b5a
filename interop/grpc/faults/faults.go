// Package faults plays gRPC's negative HTTP/2 tests against our client: a server
// that ends streams and connections at odd moments, and a client that must fail,
// or must not, as
// https://github.com/grpc/grpc/blob/master/doc/negative-http2-interop-test-descriptions.md
// says.
package faults

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/proto"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/interop/grpc/testingpb"
	"github.com/yodelrpc/yodel/status"
)

// Case is one of the tests.
type Case struct {
	Name string
	// script plays the server's part on the n-th connection, n from 0.
	script   func(ctx context.Context, c *conn, n int) error
	settings []http2.Setting
	// call plays the client's part.
	call func(ctx context.Context, channel *yodel.Channel) error
	// conns is how many connections the client must make.
	conns int
}

// Cases returns all tests.
func Cases() []Case {
	return []Case{
		{Name: "goaway", conns: 2, script: goAway, call: acrossGoAway},
		{Name: "goaway_in_flight", conns: 2, script: goAwayInFlight, call: acrossGoAway},
		{Name: "rst_after_header", conns: 1, script: resetAt(0), call: failsOnce},
		{Name: "rst_during_data", conns: 1, script: resetAt(largeResponse / 2), call: failsOnce},
		{Name: "rst_after_data", conns: 1, script: resetAt(len(response())), call: failsOnce},
		{Name: "ping", conns: 1, script: pinging, call: succeeds},
		{
			Name: "max_streams", conns: 1, script: oneAtATime, call: manyAtOnce,
			settings: []http2.Setting{{ID: http2.SettingMaxConcurrentStreams, Val: 1}},
		},
		{Name: "data_frame_padding", conns: 1, script: padded(50, 256), call: succeeds},
		{Name: "data_frame_padding_of_one_byte", conns: 1, script: padded(1000, 1), call: succeeds},
		{Name: "no_df_padding_sanity_test", conns: 1, script: padded(5000, 0), call: succeeds},
	}
}

// The sizes that the document names, in bytes.
const (
	largeRequest  = 271828
	largeResponse = 314159
)

// response is the envelope that answers a large unary call.
func response() []byte {
	b, err := proto.Marshal(&testingpb.SimpleResponse{Payload: &testingpb.Payload{Body: make([]byte, largeResponse)}})
	if err != nil {
		return nil
	}
	envelope := make([]byte, 5, 5+len(b))
	binary.BigEndian.PutUint32(envelope[1:], uint32(len(b)))
	return append(envelope, b...)
}

// Run plays the case. The error says what either side did not like.
func (k Case) Run(ctx context.Context) error {
	var lc net.ListenConfig
	lis, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &server{script: k.script, settings: k.settings}
	s.running.Go(func() { s.accept(ctx, lis) })
	channel, err := yodel.NewChannel(lis.Addr().String(), yodel.ChannelConfig{Credentials: credentials.Insecure()})
	if err == nil {
		err = k.call(ctx, channel)
		_ = channel.Close()
	}
	cancel()
	_ = lis.Close()
	s.running.Wait()
	if n := len(s.conns); n != k.conns {
		s.failed = append(s.failed, fmt.Errorf("the client made %d connections, want %d", n, k.conns))
	}
	return errors.Join(append(s.failed, err)...)
}

// server is the scripted server.
type server struct {
	script   func(ctx context.Context, c *conn, n int) error
	settings []http2.Setting
	running  sync.WaitGroup

	mu     sync.Mutex
	conns  []net.Conn
	failed []error
}

// accept plays the script on every connection until lis is closed.
func (s *server) accept(ctx context.Context, lis net.Listener) {
	for {
		raw, err := lis.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		n := len(s.conns)
		s.conns = append(s.conns, raw)
		s.mu.Unlock()
		s.running.Go(func() { s.play(ctx, raw, n) })
	}
}

func (s *server) play(ctx context.Context, raw net.Conn, n int) {
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	defer raw.Close()
	c, err := newConn(raw, s.settings...)
	if err == nil {
		s.running.Go(c.read)
		if err = s.script(ctx, c, n); err == nil {
			// Closing now could destroy what the client has not read yet.
			_ = c.wait(ctx, "the client's close", func() bool { return false })
		}
	}
	if err != nil {
		s.mu.Lock()
		s.failed = append(s.failed, fmt.Errorf("the server, on connection %d: %w", n, err))
		s.mu.Unlock()
	}
}

// large makes the call that all cases make.
func large(ctx context.Context, channel *yodel.Channel) error {
	resp, err := testingpb.NewTestServiceClient(channel).UnaryCall(ctx, &testingpb.SimpleRequest{
		ResponseSize: largeResponse, Payload: &testingpb.Payload{Body: make([]byte, largeRequest)},
	})
	if err == nil && len(resp.GetPayload().GetBody()) != largeResponse {
		err = fmt.Errorf("the response has %d bytes, want %d", len(resp.GetPayload().GetBody()), largeResponse)
	}
	return err
}

// succeeds makes one call.
func succeeds(ctx context.Context, channel *yodel.Channel) error { return large(ctx, channel) }

// failsOnce makes a call that must fail, and one on the same connection that
// must not. RST_STREAM with NO_ERROR is INTERNAL (PROTOCOL-HTTP2, "Errors").
func failsOnce(ctx context.Context, channel *yodel.Channel) error {
	if err := large(ctx, channel); status.CodeOf(err) != status.Internal {
		return fmt.Errorf("the call ended with %s (%w), want INTERNAL", status.CodeOf(err).String(), orNone(err))
	}
	if err := large(ctx, channel); err != nil {
		return fmt.Errorf("the next call: %w", err)
	}
	return nil
}

func orNone(err error) error {
	if err == nil {
		return status.OK
	}
	return err
}

// acrossGoAway makes a call, waits until the channel has seen the GOAWAY, and
// makes another one.
func acrossGoAway(ctx context.Context, channel *yodel.Channel) error {
	if err := large(ctx, channel); err != nil {
		return fmt.Errorf("the first call: %w", err)
	}
	for state := range channel.States(ctx) {
		if state == yodel.Idle {
			break
		}
	}
	if err := large(ctx, channel); err != nil {
		return fmt.Errorf("the second call: %w", err)
	}
	return nil
}

// manyAtOnce makes one call, by which the client learns of the limit, and then
// more at once than the limit allows.
func manyAtOnce(ctx context.Context, channel *yodel.Channel) error {
	if err := large(ctx, channel); err != nil {
		return fmt.Errorf("the first call: %w", err)
	}
	const calls = 15
	failed := make(chan error, calls)
	for range calls {
		go func() { failed <- large(ctx, channel) }()
	}
	var all []error
	for range calls {
		all = append(all, <-failed)
	}
	return errors.Join(all...)
}

// answer sends the whole response of a request.
func answer(ctx context.Context, c *conn, id uint32) error {
	if err := c.headers(id); err != nil {
		return err
	}
	const frame = 16384
	if err := c.data(ctx, id, response(), frame, 0); err != nil {
		return err
	}
	return c.trailers(id)
}

// serve answers requests until the test is over.
func serve(ctx context.Context, c *conn) error {
	for {
		id, err := c.request(ctx)
		if err != nil {
			// The client has closed the connection, or the test is over.
			return nil //nolint:nilerr // see above
		}
		if err := answer(ctx, c, id); err != nil {
			return err
		}
	}
}

// goAway answers the first request, and says then that there must not be a
// second one on this connection.
func goAway(ctx context.Context, c *conn, n int) error {
	if n > 0 {
		return serve(ctx, c)
	}
	id, err := c.request(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(answer(ctx, c, id), c.goAway(id)); err != nil {
		return err
	}
	return noMore(ctx, c, id)
}

// goAwayInFlight says so before it answers.
func goAwayInFlight(ctx context.Context, c *conn, n int) error {
	if n > 0 {
		return serve(ctx, c)
	}
	id, err := c.request(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(c.goAway(id), answer(ctx, c, id)); err != nil {
		return err
	}
	return noMore(ctx, c, id)
}

// noMore waits until the client closes the connection, without another stream.
func noMore(ctx context.Context, c *conn, id uint32) error {
	err := c.wait(ctx, "a stream after GOAWAY", func() bool { return c.last != id })
	if err == nil {
		return errors.New("the client opened a stream after GOAWAY")
	}
	if ctx.Err() != nil {
		return errors.New("the client left a connection open that it can use no more")
	}
	return nil
}

// resetAt ends the first stream with RST_STREAM once n bytes of the response
// have been sent, and serves the rest.
func resetAt(n int) func(context.Context, *conn, int) error {
	return func(ctx context.Context, c *conn, _ int) error {
		id, err := c.request(ctx)
		if err != nil {
			return err
		}
		const frame = 16384
		err = errors.Join(c.headers(id), c.data(ctx, id, response()[:n], frame, 0), c.reset(id))
		if err != nil {
			return err
		}
		return serve(ctx, c)
	}
}

// pinging sends a PING between any two frames of a response, and before and
// after it; each must be acknowledged.
func pinging(ctx context.Context, c *conn, _ int) error {
	pings := uint64(0)
	ping := func() error {
		pings++
		return c.ping(ctx, pings)
	}
	if err := ping(); err != nil {
		return err
	}
	id, err := c.request(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(ping(), c.headers(id), ping()); err != nil {
		return err
	}
	const frame = 16384
	for b := response(); len(b) > 0; b = b[min(frame, len(b)):] {
		if err := errors.Join(c.data(ctx, id, b[:min(frame, len(b))], frame, 0), ping()); err != nil {
			return err
		}
	}
	return c.trailers(id)
}

// oneAtATime answers all requests, and checks that they came one at a time.
func oneAtATime(ctx context.Context, c *conn, _ int) error {
	if err := serve(ctx, c); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.most != 1 {
		return fmt.Errorf("%d streams were open at once, and the limit is 1", c.most)
	}
	return nil
}

// padded answers in small frames with padding, more in all than any window
// holds: the client must give back the credit of the padding too.
func padded(size, pad int) func(context.Context, *conn, int) error {
	return func(ctx context.Context, c *conn, _ int) error {
		id, err := c.request(ctx)
		if err != nil {
			return err
		}
		return errors.Join(c.headers(id), c.data(ctx, id, response(), size, pad), c.trailers(id))
	}
}
