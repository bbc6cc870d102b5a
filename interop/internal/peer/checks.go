package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/interop/echo"
	"github.com/yodelrpc/yodel/interop/echopb"
	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
	"google.golang.org/protobuf/proto"
)

const (
	checkTimeout = 20 * time.Second
	mebibyte     = 1 << 20
)

// subject is a peer's server as the checks see it.
type subject struct {
	program *Program
	channel *yodel.Channel
	echo    echopb.EchoClient
	// wire counts what the channel's connections carry: received is what went
	// to the server.
	wire *echo.Relay
}

// contract is what each peer's client checks, in no order that matters.
var contract = []string{
	"unary", "empty message", "server stream", "server stream of nothing", "server stream left early",
	"client stream", "bidi stream in lockstep", "metadata", "error with details", "large trailers",
	"unimplemented", "gzip", "mebibyte", "request over the limit", "deadline", "cancel", "many at once",
}

// checks are what our client does with a peer's server.
var checks = []struct {
	name string
	run  func(context.Context, *subject) error
}{
	{"unary", checkUnary},
	{"empty message", checkEmptyMessage},
	{"server stream", checkServerStream},
	{"server stream of nothing", checkServerStreamOfNothing},
	{"server stream left early", checkServerStreamLeftEarly},
	{"client stream", checkClientStream},
	{"bidi stream in lockstep", checkBidiStreamInLockstep},
	{"metadata", checkMetadata},
	{"error with details", checkErrorWithDetails},
	{"large trailers", checkLargeTrailers},
	{"unimplemented", checkUnimplemented},
	{"gzip", checkGzip},
	{"mebibyte", checkMebibyte},
	{"response over the limit", checkResponseOverTheLimit},
	{"deadline", checkDeadline},
	{"cancel", checkCancel},
	{"many at once", checkManyAtOnce},
}

func expect[T comparable](what string, got, want T) error {
	if got != want {
		return errors.New(what + fmt.Sprintf(": got %.200v, want %.200v", got, want))
	}
	return nil
}

func expectCode(err error, want status.Code) error {
	if got := status.CodeOf(err); got != want {
		return fmt.Errorf("code: got %s, want %s: %w", got.String(), want.String(), err)
	}
	return nil
}

func allBytes() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func checkUnary(ctx context.Context, s *subject) error {
	resp, err := s.echo.Say(ctx, &echopb.EchoRequest{Text: "jodeln", Payload: allBytes()})
	if err != nil {
		return err
	}
	return errors.Join(
		expect("text", resp.GetText(), "jodeln"),
		expect("payload", string(resp.GetPayload()), string(allBytes())),
	)
}

func checkEmptyMessage(ctx context.Context, s *subject) error {
	resp, err := s.echo.Say(ctx, &echopb.EchoRequest{})
	if err != nil {
		return err
	}
	return expect("size", proto.Size(resp), 0)
}

func checkServerStream(ctx context.Context, s *subject) error {
	var index int32
	for resp, err := range s.echo.Count(ctx, &echopb.EchoRequest{Text: "x", Times: 1000}) {
		if err != nil {
			return err
		}
		if err := errors.Join(expect("index", resp.GetIndex(), index), expect("text", resp.GetText(), "x")); err != nil {
			return err
		}
		index++
	}
	return expect("number of responses", index, 1000)
}

func checkServerStreamOfNothing(ctx context.Context, s *subject) error {
	for resp, err := range s.echo.Count(ctx, &echopb.EchoRequest{}) {
		return fmt.Errorf("response %v, error %w", resp, err)
	}
	return nil
}

// checkServerStreamLeftEarly leaves more unread than flow control lets through,
// and calls again.
func checkServerStreamLeftEarly(ctx context.Context, s *subject) error {
	for range 20 {
		for _, err := range s.echo.Count(ctx, &echopb.EchoRequest{Payload: make([]byte, mebibyte), Times: 10}) {
			if err != nil {
				return err
			}
			break
		}
	}
	return checkUnary(ctx, s)
}

func checkClientStream(ctx context.Context, s *subject) error {
	stream, err := s.echo.Join(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	for i := range 1000 {
		if err := stream.Send(&echopb.EchoRequest{Text: strconv.Itoa(i % 10)}); err != nil {
			return err
		}
	}
	resp, err := stream.CloseAndReceive()
	if err != nil {
		return err
	}
	return errors.Join(
		expect("number of requests", resp.GetIndex(), 1000),
		expect("text", resp.GetText(), strings.Repeat("0123456789", 100)),
	)
}

func checkBidiStreamInLockstep(ctx context.Context, s *subject) error {
	stream, err := s.echo.Chat(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	for i := range 100 {
		if err := stream.Send(&echopb.EchoRequest{Text: strconv.Itoa(i)}); err != nil {
			return err
		}
		resp, err := stream.Receive()
		if err != nil {
			return err
		}
		if err := errors.Join(
			expect("text", resp.GetText(), strconv.Itoa(i)),
			expect("index", int(resp.GetIndex()), i),
		); err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if _, err := stream.Receive(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("after the last response: %w", err)
	}
	return nil
}

func checkMetadata(ctx context.Context, s *subject) error {
	sent := metadata.MD{}
	sent.Add("x-echo", "first")
	sent.Add("x-echo", "second, with a comma")
	sent.Add("x-echo-bin", string(allBytes()))
	sent.Add("x-echo-bin", "")
	var header, trailer metadata.MD
	opts := []yodel.CallOption{yodel.ReceiveHeader(&header), yodel.ReceiveTrailer(&trailer)}
	for name, value := range sent.All() {
		opts = append(opts, yodel.Header(name, value))
	}
	if _, err := s.echo.Say(ctx, &echopb.EchoRequest{}, opts...); err != nil {
		return err
	}
	ascii := joined
	if s.program.SeparateMetadata {
		ascii = separate
	}
	return errors.Join(
		expect("header x-echo", ascii(header, "x-echo"), ascii(sent, "x-echo")),
		expect("trailer x-trailer", ascii(trailer, "x-trailer"), ascii(sent, "x-echo")),
		expect("header x-echo-bin", separate(header, "x-echo-bin"), separate(sent, "x-echo-bin")),
		expect("trailer x-trailer-bin", separate(trailer, "x-trailer-bin"), separate(sent, "x-echo-bin")),
	)
}

// joined is all values of a name as the one that they are equal to (RFC 9110
// §5.3): some implementations join them.
func joined(md metadata.MD, name string) string {
	return strings.Join(slices.Collect(md.Values(name)), ", ")
}

// separate shows all values of a name in one text that tells them apart.
func separate(md metadata.MD, name string) string {
	var all []string
	for value := range md.Values(name) {
		all = append(all, strconv.Quote(value))
	}
	return strings.Join(all, " ")
}

func checkErrorWithDetails(ctx context.Context, s *subject) error {
	return expectFailure(ctx, s, "Grüße, 世界 🎶: 100 %\nsecond line")
}

// checkLargeTrailers gets some 29 KiB of trailers: the message, and twice more
// in the details. A header section over 16 KiB comes in several frames.
func checkLargeTrailers(ctx context.Context, s *subject) error {
	return expectFailure(ctx, s, strings.Repeat("0123456789", 800))
}

func expectFailure(ctx context.Context, s *subject, message string) error {
	failure := &echopb.Failure{Code: int32(status.FailedPrecondition), Message: message}
	req := &echopb.EchoRequest{Failure: failure}
	_, unary := s.echo.Say(ctx, req)
	var stream error
	for _, err := range s.echo.Count(ctx, req) {
		stream = err
	}
	for kind, err := range map[string]error{"unary": unary, "stream": stream} {
		var statusErr *status.Error
		if !errors.As(err, &statusErr) {
			return fmt.Errorf("%s: not a status: %w", kind, err)
		}
		detail, ok := status.DetailOf[*echopb.Failure](err)
		if err := errors.Join(
			expectCode(err, status.FailedPrecondition),
			expect(kind+" message", statusErr.Message(), message),
			expect(kind+" has its detail", ok && proto.Equal(detail, failure), true),
		); err != nil {
			return err
		}
	}
	return nil
}

func checkUnimplemented(ctx context.Context, s *subject) error {
	missing := &yodel.Method{Service: "yodel.interop.Echo", Name: "Missing"}
	var resp echopb.EchoResponse
	return expectCode(yodel.CallUnary(ctx, s.channel, missing, &echopb.EchoRequest{}, &resp), status.Unimplemented)
}

func checkGzip(ctx context.Context, s *subject) error {
	payload := make([]byte, mebibyte)
	received, sent := s.wire.Received(), s.wire.Sent()
	resp, err := s.echo.Say(ctx, &echopb.EchoRequest{Payload: payload},
		yodel.Compress(new(encoding.Gzip)), yodel.Header("x-compress", "gzip"))
	if err != nil {
		return err
	}
	received, sent = s.wire.Received()-received, s.wire.Sent()-sent
	const limit = mebibyte / 16
	return errors.Join(
		expect("payload is the same", bytes.Equal(resp.GetPayload(), payload), true),
		expect("request compressed", received > 0 && received < limit, true),
		expect("response compressed", sent > 0 && sent < limit, !s.program.NoResponseCompression),
	)
}

func checkMebibyte(ctx context.Context, s *subject) error {
	payload := bytes.Repeat(allBytes(), mebibyte/256)
	resp, err := s.echo.Say(ctx, &echopb.EchoRequest{Payload: payload})
	if err != nil {
		return err
	}
	return expect("payload is the same", bytes.Equal(resp.GetPayload(), payload), true)
}

func checkResponseOverTheLimit(ctx context.Context, s *subject) error {
	_, err := s.echo.Say(ctx, &echopb.EchoRequest{Payload: make([]byte, mebibyte)}, yodel.MaxReceiveBytes(mebibyte/2))
	return expectCode(err, status.ResourceExhausted)
}

func checkDeadline(ctx context.Context, s *subject) error {
	before, err := s.echo.Ended(ctx, &echopb.EndedRequest{})
	if err != nil {
		return err
	}
	began := time.Now()
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	_, err = s.echo.Say(short, &echopb.EchoRequest{Hang: true})
	if err := expectCode(err, status.DeadlineExceeded); err != nil {
		return err
	}
	if took := time.Since(began); took > 5*time.Second {
		return fmt.Errorf("it took %v", took)
	}
	before.WithDeadline++
	return awaitEnded(ctx, s, before)
}

func checkCancel(ctx context.Context, s *subject) error {
	before, err := s.echo.Ended(ctx, &echopb.EndedRequest{})
	if err != nil {
		return err
	}
	// No deadline: the server tells the two apart by it.
	canceled, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stream, err := s.echo.Chat(canceled)
	if err != nil {
		return err
	}
	defer stream.Close()
	if err := stream.Send(&echopb.EchoRequest{Hang: true}); err != nil {
		return err
	}
	// The answer shows that the handler has the request.
	if _, err := stream.Receive(); err != nil {
		return err
	}
	cancel()
	if _, err := stream.Receive(); status.CodeOf(err) != status.Canceled {
		return expectCode(err, status.Canceled)
	}
	before.WithoutDeadline++
	return awaitEnded(ctx, s, before)
}

// awaitEnded waits until the server has seen calls end.
func awaitEnded(ctx context.Context, s *subject, want *echopb.EndedResponse) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		got, err := s.echo.Ended(ctx, &echopb.EndedRequest{})
		if err != nil {
			return fmt.Errorf("waiting for the handler to see the end: %w", err)
		}
		if proto.Equal(got, want) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the handler did not see the end: got %v, want %v", got, want)
		}
	}
}

func checkManyAtOnce(ctx context.Context, s *subject) error {
	const calls = 500
	errs := make([]error, calls)
	var done sync.WaitGroup
	for i := range calls {
		done.Go(func() {
			resp, err := s.echo.Say(ctx, &echopb.EchoRequest{Text: strconv.Itoa(i)})
			if err == nil {
				err = expect("text", resp.GetText(), strconv.Itoa(i))
			}
			errs[i] = err
		})
	}
	done.Wait()
	return errors.Join(errs...)
}
