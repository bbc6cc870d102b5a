package yodel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/inproc"
	"github.com/yodelrpc/yodel/yodeltest"
)

// unaryServer serves the echo method with fn.
func unaryServer(fn func(context.Context, *str) (*str, error)) func(*yodel.Server) {
	return func(s *yodel.Server) { s.Register(yodel.UnaryRoute(echoMethod, newStr, fn)) }
}

// Metadata both ways, with repeated names, bytes, and what belongs to nobody.
func TestMetadata(t *testing.T) {
	bothPaths(t, "round trip", func(t *testing.T, cfg yodelConfig) {
		ch := yodeltest.New(t, unaryServer(func(ctx context.Context, req *str) (*str, error) {
			call := yodel.CallFrom(ctx)
			if call == nil || call.Method != echoMethod || call.Peer() == nil {
				t.Errorf("CallFrom is %+v", call)
			}
			var md metadata.MD
			for v := range call.RequestHeader.Values("x-in-bin") {
				md.Add("x-out-bin", v)
			}
			if err := errors.Join(call.SetHeader(md), call.SetTrailer(metadata.MD{{Name: "x-end", Value: "1"}})); err != nil {
				t.Error(err)
			}
			return req, nil
		}), cfg)
		var header, trailer metadata.MD
		err := unary(t.Context(), ch, yodel.Header("X-In-Bin", "\x00\xff,"), yodel.SensitiveHeader("x-in-bin", "two"),
			yodel.ReceiveHeader(&header), yodel.ReceiveTrailer(&trailer))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for v := range header.Values("x-out-bin") {
			got = append(got, v)
		}
		if fmt.Sprintf("%q", got) != `["\x00\xff," "two"]` {
			t.Errorf("header is %q", got)
		}
		if v, _ := trailer.Get("x-end"); v != "1" {
			t.Errorf("trailer is %v", trailer)
		}
	})
	bothPaths(t, "refused locally", func(t *testing.T, cfg yodelConfig) {
		ch := yodeltest.New(t, registerEcho, cfg)
		for _, o := range []yodel.CallOption{yodel.Header("grpc-x", "1"), yodel.Header("a b", "1"), yodel.Header("x", "a\nb"), yodel.Header(":path", "/")} {
			wantCode(t, unary(t.Context(), ch, o), status.Internal, "metadata")
		}
	})
	bothPaths(t, "with a failure", func(t *testing.T, cfg yodelConfig) {
		ch := yodeltest.New(t, unaryServer(func(ctx context.Context, _ *str) (*str, error) {
			_ = yodel.CallFrom(ctx).SetHeader(metadata.MD{{Name: "x-head", Value: "1"}})
			_ = yodel.CallFrom(ctx).SetTrailer(metadata.MD{{Name: "x-end", Value: "2"}})
			return nil, status.New(status.NotFound, "gone", durationpb.New(time.Second))
		}), cfg)
		var header, trailer metadata.MD
		err := unary(t.Context(), ch, yodel.ReceiveHeader(&header), yodel.ReceiveTrailer(&trailer))
		wantCode(t, err, status.NotFound, "gone")
		if d, ok := status.DetailOf[*durationpb.Duration](err); !ok || d.Seconds != 1 {
			t.Error("the detail is lost")
		}
		h, _ := header.Get("x-head")
		e, _ := trailer.Get("x-end")
		if h != "1" || e != "2" {
			t.Errorf("header %v, trailer %v", header, trailer)
		}
	})
	bubble(t, "too late", func(t *testing.T) {
		ch := yodeltest.New(t, unaryServer(func(ctx context.Context, req *str) (*str, error) {
			call := yodel.CallFrom(ctx)
			if err := call.SendHeader(); err != nil {
				t.Error(err)
			}
			if call.SendHeader() == nil || call.SetHeader(metadata.MD{{Name: "a", Value: "b"}}) == nil || call.SetCompressor(&encoding.Gzip{}) == nil {
				t.Error("a header was accepted after it was sent")
			}
			if call.SetTrailer(metadata.MD{{Name: "grpc-status", Value: "0"}}) == nil {
				t.Error("a reserved name was accepted")
			}
			return req, nil
		}))
		if err := unary(t.Context(), ch); err != nil {
			t.Error(err)
		}
	})
}

// Deadlines reach the server, and end calls on both sides; a client calls it
// DEADLINE_EXCEEDED whoever noticed first.
func TestDeadlines(t *testing.T) {
	bothPaths(t, "both sides", func(t *testing.T, cfg yodelConfig) {
		seen := make(chan error, 1)
		ch := yodeltest.New(t, unaryServer(func(ctx context.Context, _ *str) (*str, error) {
			if d, ok := ctx.Deadline(); !ok || time.Until(d) != 3*time.Second {
				t.Errorf("the server's deadline is in %v, %v", time.Until(d), ok)
			}
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			<-child.Done()
			seen <- context.Cause(child)
			return nil, child.Err()
		}), cfg)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		err := unary(ctx, ch)
		wantCode(t, err, status.DeadlineExceeded)
		if d := time.Since(began); d != 3*time.Second {
			t.Errorf("took %v", d)
		}
		if err := <-seen; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the handler saw %v", err)
		}
	})
	bothPaths(t, "passed before the call", func(t *testing.T, cfg yodelConfig) {
		ch := yodeltest.New(t, unaryServer(func(context.Context, *str) (*str, error) {
			t.Error("the call was sent")
			return newStr(), nil
		}), cfg)
		ctx, cancel := context.WithDeadline(t.Context(), time.Now())
		defer cancel()
		wantCode(t, unary(ctx, ch), status.DeadlineExceeded, "before the call was sent")
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		wantCode(t, unary(ctx, ch), status.Canceled, "before the call was sent")
	})
	bubble(t, "the server's alone", func(t *testing.T) {
		// The client's context does not end: only the server looks.
		lis, _ := serveInproc(t, yodel.ServerConfig{}, registerSleep)
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: lis})
		err := unary(noEnd{t.Context(), time.Now().Add(time.Second)}, ch)
		wantCode(t, err, status.DeadlineExceeded)
	})
}

// A server that follows the deadline too may notice it first and say CANCELLED:
// that is still this call's deadline, and no verdict of the server.
func TestCanceledAfterDeadline(t *testing.T) {
	bothPaths(t, "status", func(t *testing.T, cfg yodelConfig) {
		cfg.Channel.Dialer = rawServer(t, func(s transport.Stream) {
			time.Sleep(2 * time.Second)
			_ = s.Send(context.Background(), &transport.Outgoing{
				Header: section(200, grpcType, field{Name: "grpc-status", Value: "1"}), End: true,
			})
		})
		ch := newChannel(t, "a:1", cfg.Channel)
		wantCode(t, unary(noEnd{t.Context(), time.Now().Add(time.Second)}, ch), status.DeadlineExceeded)
		wantCode(t, unary(noEnd{t.Context(), time.Now().Add(time.Hour)}, ch), status.Canceled)
	})
}

// noEnd has a deadline that nothing enforces.
type noEnd struct {
	context.Context
	at time.Time
}

func (c noEnd) Deadline() (time.Time, bool) { return c.at, true }

// A client that cancels, or goes, ends the handler's context with a cause.
func TestCancellation(t *testing.T) {
	bothPaths(t, "unary", func(t *testing.T, cfg yodelConfig) {
		seen := make(chan error, 1)
		ch := yodeltest.New(t, unaryServer(func(ctx context.Context, _ *str) (*str, error) {
			<-ctx.Done()
			seen <- context.Cause(ctx)
			return nil, ctx.Err()
		}), cfg)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		wantCode(t, unary(ctx, ch), status.Canceled, "in flight")
		if err := <-seen; err == nil || !strings.Contains(err.Error(), "peer") {
			t.Errorf("the handler's cause is %v", err)
		}
	})
	bubble(t, "a stream that nobody uses", func(t *testing.T) {
		ended := make(chan error, 1)
		ch := yodeltest.New(t, func(s *yodel.Server) {
			s.Register(yodel.BidiStreamRoute(chatMethod, newStr, func(ctx context.Context, _ iter.Seq2[*str, error], _ func(*str) error) error {
				<-ctx.Done()
				ended <- ctx.Err()
				return nil
			}))
		})
		ctx, cancel := context.WithCancel(t.Context())
		s, err := yodel.CallBidiStream[*str](ctx, ch, chatMethod, newStr)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		wantCode(t, s.Send(newStr()), status.Canceled)
		_, err = s.Receive()
		wantCode(t, err, status.Canceled)
	})
	bubble(t, "close", func(t *testing.T) {
		ended := make(chan error, 1)
		ch := yodeltest.New(t, func(s *yodel.Server) {
			s.Register(yodel.ClientStreamRoute(upMethod, newStr, func(_ context.Context, in iter.Seq2[*str, error]) (*str, error) {
				var last error
				for _, err := range in {
					last = err
				}
				ended <- last
				return nil, last
			}))
		})
		s, err := yodel.CallClientStream[*str](t.Context(), ch, upMethod, newStr)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		wantCode(t, <-ended, status.Canceled)
		wantCode(t, s.Send(newStr()), status.Canceled, "abandoned")
		_, err = s.CloseAndReceive()
		wantCode(t, err, status.Canceled, "abandoned")
	})
}

// Leaving the loop cancels; a second range is an error; nothing needs closing.
func TestServerStreamLoop(t *testing.T) {
	bubble(t, "break", func(t *testing.T) {
		ended := make(chan error, 1)
		ch := yodeltest.New(t, func(s *yodel.Server) {
			s.Register(yodel.ServerStreamRoute(downMethod, newStr, func(ctx context.Context, req *str, send func(*str) error) error {
				for {
					if err := send(req); err != nil {
						ended <- errors.Join(err, ctx.Err())
						return err
					}
				}
			}))
		})
		seq := yodel.CallServerStream(t.Context(), ch, downMethod, wrapperspb.String(strings.Repeat("y", 100)), newStr)
		for _, err := range seq {
			if err != nil {
				t.Error(err)
			}
			break
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the handler's send returned %v", err)
		}
		n := 0
		for _, err := range seq {
			wantCode(t, err, status.Internal, "once")
			n++
		}
		if n != 1 {
			t.Errorf("the second range yielded %d times", n)
		}
	})
	bubble(t, "failure after messages", func(t *testing.T) {
		ch := yodeltest.New(t, func(s *yodel.Server) {
			s.Register(yodel.ServerStreamRoute(downMethod, newStr, func(_ context.Context, req *str, send func(*str) error) error {
				_ = send(req)
				return status.New(status.Aborted, "half way")
			}))
		})
		var got []string
		for resp, err := range yodel.CallServerStream(t.Context(), ch, downMethod, wrapperspb.String("a"), newStr) {
			if err != nil {
				wantCode(t, err, status.Aborted, "half way")
				got = append(got, "error")
				continue
			}
			got = append(got, resp.Value)
		}
		if strings.Join(got, " ") != "a error" {
			t.Errorf("got %v", got)
		}
	})
}

// What a handler holds on to after it has returned fails, instead of reaching
// into another call.
func TestAfterReturn(t *testing.T) {
	bubble(t, "send, in and call", func(t *testing.T) {
		var later func() []error
		ch := yodeltest.New(t, func(s *yodel.Server) {
			s.Register(yodel.BidiStreamRoute(chatMethod, newStr, func(ctx context.Context, in iter.Seq2[*str, error], send func(*str) error) error {
				call := yodel.CallFrom(ctx)
				later = func() []error {
					var received error
					for _, err := range in {
						received = err
					}
					return []error{send(newStr()), received, call.SetHeader(nil), call.SetTrailer(nil), call.SendHeader(), ctx.Err(), call.SetCompressor(nil)}
				}
				return nil
			}))
		})
		s, err := yodel.CallBidiStream[*str](t.Context(), ch, chatMethod, newStr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Receive(); err != io.EOF {
			t.Fatal(err)
		}
		synctest.Wait()
		for i, err := range later() {
			if err == nil {
				t.Errorf("use %d after the return worked", i)
			}
		}
	})
	bubble(t, "goroutines that are still at it", func(t *testing.T) {
		var wg sync.WaitGroup
		ch := yodeltest.New(t, func(s *yodel.Server) {
			s.Register(yodel.BidiStreamRoute(chatMethod, newStr, func(ctx context.Context, in iter.Seq2[*str, error], _ func(*str) error) error {
				wg.Go(func() {
					for range in {
					}
				})
				time.Sleep(time.Second)
				return status.New(status.Aborted, "enough")
			}))
		})
		s, err := yodel.CallBidiStream[*str](t.Context(), ch, chatMethod, newStr)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Receive()
		wantCode(t, err, status.Aborted, "enough")
		wg.Wait()
	})
}

// A client that sends to a call which the server has ended learns how it ended.
func TestSendAfterEnd(t *testing.T) {
	early := func(result error) func(*yodel.Server) {
		return func(s *yodel.Server) {
			s.Register(yodel.BidiStreamRoute(chatMethod, newStr, func(context.Context, iter.Seq2[*str, error], func(*str) error) error {
				return result
			}))
		}
	}
	for _, c := range []struct {
		name   string
		result error
	}{{"failure", status.New(status.PermissionDenied, "no")}, {"OK", nil}} {
		bubble(t, c.name, func(t *testing.T) {
			ch := yodeltest.New(t, early(c.result))
			s, err := yodel.CallBidiStream[*str](t.Context(), ch, chatMethod, newStr)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			synctest.Wait()
			sent := s.Send(newStr())
			_, received := s.Receive()
			for _, err := range []error{sent, received} {
				if c.result == nil && err != io.EOF {
					t.Errorf("%v, want io.EOF", err)
				}
				if c.result != nil {
					wantCode(t, err, status.PermissionDenied, "no")
				}
			}
		})
	}
}

// The limits on messages, each with an error that says whose it is and what to
// change.
func TestMessageLimits(t *testing.T) {
	big := wrapperspb.String(strings.Repeat("y", 1000))
	call := func(t *testing.T, cfg yodelConfig, opts ...yodel.CallOption) error {
		return yodel.CallUnary(t.Context(), yodeltest.New(t, registerEcho, cfg), echoMethod, big, newStr(), opts...)
	}
	bothPaths(t, "client sends", func(t *testing.T, cfg yodelConfig) {
		cfg.Channel.MaxSendBytes = 999
		wantCode(t, call(t, cfg), status.ResourceExhausted, "client", "/test.Echo/Unary", "1003", "999", "MaxSendBytes")
		wantCode(t, call(t, cfg, yodel.MaxSendBytes(1003)), status.OK)
		wantCode(t, call(t, yodelConfig{}, yodel.MaxSendBytes(1002)), status.ResourceExhausted)
		wantCode(t, call(t, cfg, yodel.Compress(&encoding.Gzip{})), status.ResourceExhausted)
		// JSON does not know its size before it is made.
		wantCode(t, call(t, cfg, yodel.Codec(encoding.JSON{})), status.ResourceExhausted, "999")
		wantCode(t, call(t, cfg, yodel.Codec(encoding.JSON{}), yodel.Compress(&encoding.Gzip{})), status.ResourceExhausted, "999")
		// What is known to be too large is not encoded at all.
		wantCode(t, call(t, cfg, yodel.Codec(noAppend{})), status.ResourceExhausted, "1003")
	})
	bothPaths(t, "client receives", func(t *testing.T, cfg yodelConfig) {
		cfg.Channel.MaxReceiveBytes = 999
		wantCode(t, call(t, cfg), status.ResourceExhausted, "client", "/test.Echo/Unary", "1003", "999", "ChannelConfig.MaxReceiveBytes")
		wantCode(t, call(t, cfg, yodel.MaxReceiveBytes(1003)), status.OK)
	})
	bothPaths(t, "server receives", func(t *testing.T, cfg yodelConfig) {
		cfg.Server.MaxReceiveBytes = 999
		wantCode(t, call(t, cfg), status.ResourceExhausted, "server", "/test.Echo/Unary", "1003", "999", "ServerConfig.MaxReceiveBytes")
	})
	bothPaths(t, "server sends", func(t *testing.T, cfg yodelConfig) {
		cfg.Server.MaxSendBytes = 999
		wantCode(t, call(t, cfg), status.ResourceExhausted, "server", "/test.Echo/Unary", "1003", "999", "ServerConfig.MaxSendBytes")
	})
	bubble(t, "a send that failed cannot end as OK", func(t *testing.T) {
		ch := yodeltest.New(t, func(s *yodel.Server) {
			s.Register(yodel.ServerStreamRoute(downMethod, newStr, func(_ context.Context, _ *str, send func(*str) error) error {
				_ = send(big)
				return nil
			}))
		}, yodelConfig{Server: yodel.ServerConfig{MaxSendBytes: 999}})
		var last error
		for _, err := range yodel.CallServerStream(t.Context(), ch, downMethod, newStr(), newStr) {
			last = err
		}
		wantCode(t, last, status.ResourceExhausted, "MaxSendBytes")
	})
}

// noAppend knows sizes, and panics when it encodes.
type noAppend struct{ encoding.Proto }

func (noAppend) Append([]byte, any) ([]byte, error) { panic("encoded") }

// counting counts what it compresses and decompresses.
type counting struct {
	encoding.Gzip
	packed, unpacked int
}

func (c *counting) Compress(dst, src []byte) ([]byte, error) {
	c.packed++
	return c.Gzip.Compress(dst, src)
}

func (c *counting) Decompress(dst, src []byte, limit int) ([]byte, error) {
	c.unpacked++
	return c.Gzip.Decompress(dst, src, limit)
}

// Compression per call and per side, and only with what the peer has.
func TestCompression(t *testing.T) {
	bothPaths(t, "both ways", func(t *testing.T, cfg yodelConfig) {
		client, server := new(counting), new(counting)
		cfg.Channel.Compressors = []encoding.Compressor{client}
		cfg.Server.Compressors = []encoding.Compressor{server}
		cfg.Server.Compressor = server
		ch := yodeltest.New(t, registerEcho, cfg)
		if err := unary(t.Context(), ch, yodel.Compress(client)); err != nil {
			t.Fatal(err)
		}
		if client.packed != 1 || client.unpacked != 1 || server.packed != 1 || server.unpacked != 1 {
			t.Errorf("client %d/%d, server %d/%d", client.packed, client.unpacked, server.packed, server.unpacked)
		}
	})
	bothPaths(t, "not accepted", func(t *testing.T, cfg yodelConfig) {
		server := new(counting)
		cfg.Channel.Compressors = []encoding.Compressor{}
		cfg.Server.Compressor = server
		if err := unary(t.Context(), yodeltest.New(t, registerEcho, cfg)); err != nil {
			t.Fatal(err)
		}
		if server.packed != 0 {
			t.Error("the response was compressed for a client that accepts nothing")
		}
	})
	bothPaths(t, "unknown to the server", func(t *testing.T, cfg yodelConfig) {
		cfg.Server.Compressors = []encoding.Compressor{}
		ch := yodeltest.New(t, registerEcho, cfg)
		wantCode(t, unary(t.Context(), ch, yodel.Compress(&encoding.Gzip{})), status.Unimplemented, "gzip")
	})
	bubble(t, "per call on the server", func(t *testing.T) {
		c := new(counting)
		ch := yodeltest.New(t, unaryServer(func(ctx context.Context, req *str) (*str, error) {
			return req, yodel.CallFrom(ctx).SetCompressor(c)
		}))
		if err := unary(t.Context(), ch); err != nil || c.packed != 1 {
			t.Errorf("%v, %d compressed", err, c.packed)
		}
	})
}

func TestCodecs(t *testing.T) {
	for name, codec := range map[string]encoding.Codec{"proto": encoding.Proto{}, "json": encoding.JSON{}} {
		bothPaths(t, name, func(t *testing.T, cfg yodelConfig) {
			resp := newStr()
			ch := yodeltest.New(t, registerEcho, cfg)
			if err := yodel.CallUnary(t.Context(), ch, echoMethod, wrapperspb.String("é"), resp, yodel.Codec(codec)); err != nil || resp.Value != "é" {
				t.Errorf("%v, %v", resp, err)
			}
			cfg.Channel.Codec = codec
			wantCode(t, unary(t.Context(), yodeltest.New(t, registerEcho, cfg)), status.OK)
		})
	}
}

// Who sees which text; see package status.
func TestErrorVisibility(t *testing.T) {
	other := status.Make(status.FromPeer, status.NotFound, "their secret", nil, nil)
	cases := []struct {
		name        string
		err         error
		code        status.Code
		text        string
		logged      bool
		shownInTest bool
	}{
		{"own status", status.New(status.NotFound, "no such user"), status.NotFound, "no such user", false, true},
		{"own code", status.NotFound, status.NotFound, "", false, false},
		{"hidden cause", status.Errorf(status.Internal, "cannot store: %w", errors.New("password=1")), status.Internal, "cannot store", true, true},
		{"plain error", errors.New("password=1"), status.Unknown, "", true, true},
		{"canceled", context.Canceled, status.Canceled, "", false, false},
		{"deadline", context.DeadlineExceeded, status.DeadlineExceeded, "", false, false},
		{"of another channel", other, status.Internal, "", true, true},
		{"forwarded", status.Forward(other), status.NotFound, "their secret", false, true},
	}
	for _, c := range cases {
		bubble(t, c.name, func(t *testing.T) {
			var log strings.Builder
			logger := slog.New(slog.NewTextHandler(&log, nil))
			fail := unaryServer(func(context.Context, *str) (*str, error) { return nil, c.err })
			err := unary(t.Context(), yodeltest.New(t, fail, yodelConfig{Server: yodel.ServerConfig{Logger: logger}}))
			wantCode(t, err, c.code)
			var e *status.Error
			if !errors.As(err, &e) || e.Message() != c.text || !e.FromPeer() {
				t.Errorf("the client saw %v, want %q", err, c.text)
			}
			if logged := strings.Contains(log.String(), "/test.Echo/Unary"); logged != c.logged {
				t.Errorf("logged %v: %s", logged, log.String())
			}
			shown := unary(t.Context(), yodeltest.New(t, fail, yodelConfig{Server: yodel.ServerConfig{ShowErrors: true}}))
			if errors.As(shown, &e); (e.Message() != "") != c.shownInTest {
				t.Errorf("with ShowErrors the client saw %v", shown)
			}
		})
	}
}

// A panic is one call's INTERNAL, wherever it happens.
func TestPanics(t *testing.T) {
	boom := func(context.Context, *str) (*str, error) { panic("boom") }
	intercept := func(next yodel.Handler) yodel.Handler {
		return func(context.Context, *yodel.Call, yodel.Stream) error { panic("boom") }
	}
	onDone := func(ctx context.Context, req *str) (*str, error) {
		yodel.CallFrom(ctx).OnDone(func(error) { panic("boom") })
		return req, nil
	}
	for _, c := range []struct {
		name string
		fn   func(context.Context, *str) (*str, error)
		cfg  yodel.ServerConfig
		code status.Code
	}{
		{"handler", boom, yodel.ServerConfig{}, status.Internal},
		{"interceptor", echo, yodel.ServerConfig{Interceptors: []yodel.ServerInterceptor{intercept}}, status.Internal},
		{"codec", echo, yodel.ServerConfig{Codecs: []encoding.Codec{panicCodec{}}}, status.Internal},
		{"OnDone", onDone, yodel.ServerConfig{}, status.OK},
	} {
		bubble(t, c.name, func(t *testing.T) {
			var log strings.Builder
			c.cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			ch, server := yodeltest.NewPair(t, unaryServer(c.fn), yodelConfig{Server: c.cfg})
			for range 100 {
				wantCode(t, unary(t.Context(), ch), c.code)
			}
			synctest.Wait()
			if n := server.Panics(); n != 100 {
				t.Errorf("%d panics were counted", n)
			}
			if n := strings.Count(log.String(), "boom"); n == 0 || strings.Count(log.String(), "\n") != 1 {
				t.Errorf("100 panics of one place within a second were logged %d times", strings.Count(log.String(), "\n"))
			}
			time.Sleep(2 * time.Second)
			_ = unary(t.Context(), ch)
			synctest.Wait()
			if n := strings.Count(log.String(), "\n"); n != 2 {
				t.Errorf("%d lines after another second", n)
			}
		})
	}
	bubble(t, "Goexit", func(t *testing.T) {
		ch := yodeltest.New(t, unaryServer(func(context.Context, *str) (*str, error) { panic(nil) }))
		wantCode(t, unary(t.Context(), ch), status.Internal)
	})
	bubble(t, "a client's codec gives the stream back", func(t *testing.T) {
		ch := yodeltest.New(t, registerEcho, yodelConfig{Transport: inproc.Config{MaxConcurrentStreams: 1}})
		func() {
			defer func() { _ = recover() }()
			_ = unary(t.Context(), ch, yodel.Codec(panicCodec{}))
		}()
		wantCode(t, unary(t.Context(), ch), status.OK)
	})
}

// panicCodec can encode, and panics when it decodes.
type panicCodec struct{ encoding.Proto }

func (panicCodec) Unmarshal([]byte, any) error { panic("boom") }

// What OnDone calls is the program's: it may use the stream, however the call
// ended, and is called once.
func TestOnDoneMayUseTheStream(t *testing.T) {
	ends := map[string]func(cancel func(), s yodel.Stream){
		"response":      func(_ func(), s yodel.Stream) { _ = s.Send(newStr()); _ = s.Receive(newStr()) },
		"cancel":        func(cancel func(), _ yodel.Stream) { cancel() },
		"Close":         func(_ func(), s yodel.Stream) { _ = s.Close() },
		"failed header": func(cancel func(), s yodel.Stream) { cancel(); _, _ = s.Header() },
		"bad request":   func(_ func(), s yodel.Stream) { _ = s.Send("no message"); _ = s.Close() },
	}
	for name, end := range ends {
		bubble(t, name, func(t *testing.T) {
			ch := yodeltest.New(t, registerEcho)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			call := yodel.NewCall(echoMethod)
			stream, err := ch.Start(ctx, call)
			if err != nil {
				t.Fatal(err)
			}
			told := 0
			call.OnDone(func(error) {
				_, _ = stream.Header()
				_ = stream.Trailer()
				_ = stream.Receive(newStr())
				_ = stream.Close()
				told++
			})
			end(cancel, stream)
			synctest.Wait()
			if told != 1 {
				t.Errorf("OnDone was called %d times", told)
			}
		})
	}
}

// TestForeignCall would break if an interceptor that passes on a Call of its own brought
// the handler down, or the client got something else than an error.
func TestForeignCall(t *testing.T) {
	foreign := func(next yodel.Handler) yodel.Handler {
		return func(ctx context.Context, call *yodel.Call, stream yodel.Stream) error {
			return next(ctx, yodel.NewCall(call.Method), stream)
		}
	}
	bothPaths(t, "unary", func(t *testing.T, cfg yodelConfig) {
		cfg.Server.Interceptors = []yodel.ServerInterceptor{foreign}
		ch := yodeltest.New(t, unaryServer(func(_ context.Context, req *str) (*str, error) { return req, nil }), cfg)
		wantCode(t, unary(t.Context(), ch), status.Internal, "")
	})
}

// TestAddOnAServer would break if options, which are for calls that have not started, made
// a server's call useless.
func TestAddOnAServer(t *testing.T) {
	add := func(next yodel.Handler) yodel.Handler {
		return func(ctx context.Context, call *yodel.Call, stream yodel.Stream) error {
			call.Add(yodel.WaitForReady())
			if err := call.SetHeader(metadata.MD{{Name: "x", Value: "1"}}); err != nil {
				t.Error(err)
			}
			return next(ctx, call, stream)
		}
	}
	bothPaths(t, "unary", func(t *testing.T, cfg yodelConfig) {
		cfg.Server.Interceptors = []yodel.ServerInterceptor{add}
		ch := yodeltest.New(t, unaryServer(func(_ context.Context, req *str) (*str, error) { return req, nil }), cfg)
		if err := unary(t.Context(), ch); err != nil {
			t.Error(err)
		}
	})
}

// Interceptors: the order, both sides, all kinds, and OnDone.
func TestInterceptors(t *testing.T) {
	bubble(t, "order", func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		note := func(s string) {
			mu.Lock()
			order = append(order, s)
			mu.Unlock()
		}
		client := func(name string) yodel.ClientInterceptor {
			return func(next yodel.Invoker) yodel.Invoker {
				return func(ctx context.Context, call *yodel.Call) (yodel.Stream, error) {
					note(name)
					call.RequestHeader.Add("x-"+name, "1")
					call.OnDone(func(error) { note(name + " done") })
					return next(ctx, call)
				}
			}
		}
		server := func(name string) yodel.ServerInterceptor {
			return func(next yodel.Handler) yodel.Handler {
				return func(ctx context.Context, call *yodel.Call, s yodel.Stream) error {
					note(name)
					if md, _ := s.Header(); len(md) != 2 {
						t.Errorf("the request's metadata is %v", md)
					}
					err := next(ctx, call, s)
					note(name + " after")
					return err
				}
			}
		}
		ch := yodeltest.New(t, registerEcho, yodelConfig{
			Channel: yodel.ChannelConfig{Interceptors: []yodel.ClientInterceptor{client("a"), client("b")}},
			Server:  yodel.ServerConfig{Interceptors: []yodel.ServerInterceptor{server("c"), server("d")}},
		})
		for range 2 {
			order = nil
			if err := unary(t.Context(), ch); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := strings.Join(order, ","); got != "a,b,c,d,d after,c after,b done,a done" && got != "a,b,c,d,d after,c after,a done,b done" {
				t.Errorf("order is %s", got)
			}
		}
	})
	bubble(t, "refusal before anything is decoded", func(t *testing.T) {
		deny := func(yodel.Handler) yodel.Handler {
			return func(context.Context, *yodel.Call, yodel.Stream) error {
				return status.New(status.Unauthenticated, "who are you")
			}
		}
		ch := yodeltest.New(t, registerEcho, yodelConfig{Server: yodel.ServerConfig{Interceptors: []yodel.ServerInterceptor{deny}}})
		wantCode(t, unary(t.Context(), ch), status.Unauthenticated)
		s, err := yodel.CallClientStream[*str](t.Context(), ch, upMethod, newStr)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		_, err = s.CloseAndReceive()
		wantCode(t, err, status.Unauthenticated)
	})
	bubble(t, "a handler that forgets to answer", func(t *testing.T) {
		skip := func(yodel.Handler) yodel.Handler {
			return func(context.Context, *yodel.Call, yodel.Stream) error { return nil }
		}
		ch := yodeltest.New(t, registerEcho, yodelConfig{Server: yodel.ServerConfig{Interceptors: []yodel.ServerInterceptor{skip}}})
		wantCode(t, unary(t.Context(), ch), status.Internal, "without a response")
	})
}

// The values of Serve's context reach handlers, its end does not.
func TestHandlerContext(t *testing.T) {
	type key struct{}
	bubble(t, "values", func(t *testing.T) {
		s := yodel.NewServer(yodel.ServerConfig{})
		unaryServer(func(ctx context.Context, req *str) (*str, error) {
			if ctx.Value(key{}) != "v" {
				t.Error("the value is lost")
			}
			time.Sleep(time.Second)
			if ctx.Err() != nil {
				t.Error("the end of Serve's context reached a call")
			}
			return req, nil
		})(s)
		lis := inproc.NewListener(inproc.Config{})
		ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "v"))
		served := make(chan error, 1)
		go func() { served <- s.ServeTransport(ctx, lis) }()
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: lis})
		done := make(chan error, 1)
		go func() { done <- unary(t.Context(), ch) }()
		synctest.Wait()
		cancel(errTestDone)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	bubble(t, "children end with the handler", func(t *testing.T) {
		var child context.Context
		var stop context.CancelFunc
		fired := make(chan struct{})
		ch := yodeltest.New(t, unaryServer(func(ctx context.Context, req *str) (*str, error) {
			child, stop = context.WithCancel(ctx)
			context.AfterFunc(ctx, func() { close(fired) })
			if s := fmt.Sprint(ctx); strings.Contains(s, "secret") {
				t.Error("a printed context shows its values:", s)
			}
			return req, nil
		}))
		if err := unary(t.Context(), ch, yodel.Header("token", "secret")); err != nil {
			t.Fatal(err)
		}
		<-child.Done()
		<-fired
		stop()
	})
}

// A context that ends while the call waits for a connection ends the call, and
// nothing else.
func TestContextEndsWhileOpening(t *testing.T) {
	ch, err := yodel.NewChannel("a.example:1", yodel.ChannelConfig{
		Credentials: credentials.Insecure(),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ch.Close()
	for range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if _, err := yodel.CallBidiStream[*str, *str](ctx, ch, chatMethod, newStr); status.CodeOf(err) != status.DeadlineExceeded {
			t.Errorf("the call ended with %v", err)
		}
		cancel()
	}
}
