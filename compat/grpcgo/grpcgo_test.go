package grpcgo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpccredentials "google.golang.org/grpc/credentials"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/compat/grpcgo"
	"github.com/yodelrpc/yodel/credentials"
	yodelmetadata "github.com/yodelrpc/yodel/metadata"
	yodelstatus "github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/yodeltest"
)

func eofOr(err error, then func() error) error {
	if errors.Is(err, io.EOF) {
		return then()
	}
	return err
}

func wantCode(t *testing.T, err error, code codes.Code, texts ...string) {
	t.Helper()
	if got := status.Code(err); got != code {
		t.Errorf("code is %v (%v), want %v", got, err, code)
		return
	}
	for _, text := range texts {
		if err != nil && !strings.Contains(err.Error(), text) {
			t.Errorf("%q lacks %q", err, text)
		}
	}
}

// The four kinds, as generated code calls and serves them.
func TestKinds(t *testing.T) {
	everyPair(t, func(t *testing.T, p pair) {
		client := testgrpc.NewTestServiceClient(p.connect(t, &service{}, setup{}))
		ctx := deadline(t)

		resp, err := client.UnaryCall(ctx, &testgrpc.SimpleRequest{Payload: payload(1 << 20)})
		if err != nil || len(resp.GetPayload().GetBody()) != 1<<20 {
			t.Errorf("unary: %d bytes, %v", len(resp.GetPayload().GetBody()), err)
		}

		out, err := client.StreamingOutputCall(ctx, &testgrpc.StreamingOutputCallRequest{
			ResponseParameters: []*testgrpc.ResponseParameters{{Size: 1}, {Size: 100000}, {Size: 3}},
		})
		if err != nil {
			t.Fatal(err)
		}
		var sizes []int
		for {
			resp, err := out.Recv()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Error(err)
				}
				break
			}
			sizes = append(sizes, len(resp.GetPayload().GetBody()))
		}
		if !slices.Equal(sizes, []int{1, 100000, 3}) {
			t.Errorf("server stream: %v", sizes)
		}

		in, err := client.StreamingInputCall(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{5, 70000, 1} {
			if err := in.Send(&testgrpc.StreamingInputCallRequest{Payload: payload(n)}); err != nil {
				t.Fatal(err)
			}
		}
		sum, err := in.CloseAndRecv()
		if err != nil || sum.GetAggregatedPayloadSize() != 70006 {
			t.Errorf("client stream: %v, %v", sum, err)
		}

		chat, err := client.FullDuplexCall(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 5 {
			if err := chat.Send(&testgrpc.StreamingOutputCallRequest{Payload: payload(n)}); err != nil {
				t.Fatal(err)
			}
			resp, err := chat.Recv()
			if err != nil || len(resp.GetPayload().GetBody()) != n {
				t.Errorf("bidi stream: %v, %v", resp, err)
			}
		}
		if err := chat.CloseSend(); err != nil {
			t.Error(err)
		}
		if _, err := chat.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("bidi stream ends with %v", err)
		}
	})
}

// Metadata both ways: order of values, bytes, and the names that grpc-go leaves
// out; by the functions that take a context and by the methods of streams.
func TestMetadata(t *testing.T) {
	var got metadata.MD
	echo := func(ctx context.Context) error {
		got, _ = metadata.FromIncomingContext(ctx)
		return errors.Join(
			grpc.SetHeader(ctx, metadata.Pairs("x-first", "1")),
			grpc.SendHeader(ctx, metadata.Pairs("x-in-bin", got.Get("x-in-bin")[0], "content-type", "left out")),
			grpc.SetTrailer(ctx, metadata.Pairs("x-end", "a", "x-end", "b", "x-end-bin", "\xff")),
		)
	}
	impl := &service{
		unary: func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			if m, ok := grpc.Method(ctx); !ok || m != testgrpc.TestService_UnaryCall_FullMethodName {
				t.Errorf("grpc.Method is %q", m)
			}
			if err := echo(ctx); err != nil {
				return nil, err
			}
			if grpc.SetHeader(ctx, metadata.Pairs("x-late", "1")) == nil {
				t.Error("a header was accepted after it was sent")
			}
			return &testgrpc.SimpleResponse{}, nil
		},
		full: func(stream testgrpc.TestService_FullDuplexCallServer) error {
			got, _ = metadata.FromIncomingContext(stream.Context())
			stream.SetTrailer(metadata.Pairs("x-end", "a", "x-end", "b"))
			stream.SetTrailer(metadata.Pairs("x-end-bin", "\xff"))
			return errors.Join(
				stream.SetHeader(metadata.Pairs("x-first", "1")),
				stream.SendHeader(metadata.Pairs("x-in-bin", got.Get("x-in-bin")[0])),
			)
		},
	}
	check := func(t *testing.T, header, trailer metadata.MD) {
		t.Helper()
		if v := got.Get("x-in-bin"); !slices.Equal(v, []string{"\x00\xff,", ""}) {
			t.Errorf("the server got %q", v)
		}
		if v := got.Get("x-b"); !slices.Equal(v, []string{"2", "1"}) {
			t.Errorf("the server got %q", v)
		}
		if header.Get("x-first")[0] != "1" || header.Get("x-in-bin")[0] != "\x00\xff," {
			t.Errorf("header %q", header)
		}
		if !slices.Equal(trailer.Get("x-end"), []string{"a", "b"}) || trailer.Get("x-end-bin")[0] != "\xff" {
			t.Errorf("trailer %q", trailer)
		}
	}
	everyPair(t, func(t *testing.T, p pair) {
		client := testgrpc.NewTestServiceClient(p.connect(t, impl, setup{}))
		ctx := metadata.NewOutgoingContext(deadline(t), metadata.Pairs("X-In-Bin", "\x00\xff,", "x-in-bin", "", "x-b", "2", "user-agent", "left out", ":authority", "left out"))
		ctx = metadata.AppendToOutgoingContext(ctx, "x-b", "1")
		var header, trailer metadata.MD
		if _, err := client.UnaryCall(ctx, &testgrpc.SimpleRequest{}, grpc.Header(&header), grpc.Trailer(&trailer)); err != nil {
			t.Fatal(err)
		}
		check(t, header, trailer)

		header, trailer = nil, nil
		stream, err := client.FullDuplexCall(ctx, grpc.Header(&header), grpc.Trailer(&trailer))
		if err != nil {
			t.Fatal(err)
		}
		early, err := stream.Header()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("the stream ends with %v", err)
		}
		check(t, early, stream.Trailer())
		check(t, header, trailer)
	})
}

// Metadata that cannot be sent fails the call: on the way out, and where
// SetTrailer of a stream has no result to say it.
func TestBadMetadata(t *testing.T) {
	impl := &service{full: func(stream testgrpc.TestService_FullDuplexCallServer) error {
		if err := stream.SetHeader(metadata.MD{"a b": {"1"}}); status.Code(err) != codes.Internal {
			t.Errorf("SetHeader: %v", err)
		}
		stream.SetTrailer(metadata.MD{"grpc-trace-bin": {"1"}})
		return nil
	}}
	p := pair{client: ours, server: ours}
	client := testgrpc.NewTestServiceClient(p.connect(t, impl, setup{}))
	for _, md := range []metadata.MD{{"a b": {"1"}}, {"x": {"a\nb"}}, {"grpc-trace-bin": {"1"}}} {
		_, err := client.UnaryCall(metadata.NewOutgoingContext(deadline(t), md), &testgrpc.SimpleRequest{})
		wantCode(t, err, codes.Internal, "metadata")
	}
	stream, err := client.FullDuplexCall(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	wantCode(t, err, codes.Internal, "grpc-trace-bin")
}

// Both sides know each other's address and security.
func TestPeer(t *testing.T) {
	var seen *peer.Peer
	impl := &service{unary: func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
		seen, _ = peer.FromContext(ctx)
		return &testgrpc.SimpleResponse{}, nil
	}}
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", secure), func(t *testing.T) {
			everyPair(t, func(t *testing.T, p pair) {
				client := testgrpc.NewTestServiceClient(p.connect(t, impl, setup{secure: secure}))
				var server peer.Peer
				if _, err := client.UnaryCall(deadline(t), &testgrpc.SimpleRequest{}, grpc.Peer(&server)); err != nil {
					t.Fatal(err)
				}
				if server.Addr.String() != seen.LocalAddr.String() || server.LocalAddr.String() != seen.Addr.String() {
					t.Errorf("the client sees %v, the server %v", server.String(), seen)
				}
				stream, err := client.FullDuplexCall(deadline(t))
				if err != nil {
					t.Fatal(err)
				}
				_ = stream.CloseSend()
				_, _ = stream.Recv()
				if of, ok := peer.FromContext(stream.Context()); !ok || of.Addr.String() != server.Addr.String() {
					t.Errorf("the stream's context has the peer %v", of)
				}
				info, isTLS := server.AuthInfo.(grpccredentials.TLSInfo)
				if isTLS != secure {
					t.Fatalf("AuthInfo is %T", server.AuthInfo)
				}
				if secure && (info.SecurityLevel != grpccredentials.PrivacyAndIntegrity || info.SPIFFEID.String() != "spiffe://example.org/server" || info.State.NegotiatedProtocol != "h2") {
					t.Errorf("TLSInfo %v, %v, %v", info.SecurityLevel, info.SPIFFEID, info.State.NegotiatedProtocol)
				}
				if !secure && grpccredentials.CheckSecurityLevel(server.AuthInfo, grpccredentials.PrivacyAndIntegrity) == nil {
					t.Error("plaintext passes for secure")
				}
			})
		})
	}
}

// A status keeps its code, text and details both ways; other errors show their
// text, as grpc-go has it.
func TestErrors(t *testing.T) {
	detailed, err := status.New(codes.FailedPrecondition, "naïve\n100%").WithDetails(
		&errdetails.ErrorInfo{Reason: "R", Domain: "d"}, &errdetails.RetryInfo{})
	if err != nil {
		t.Fatal(err)
	}
	plain := errors.New("the text of any error")
	cases := []struct {
		name    string
		err     error
		code    codes.Code
		message string
	}{
		{"status with details", detailed.Err(), codes.FailedPrecondition, "naïve\n100%"},
		{"wrapped status", fmt.Errorf("while: %w", status.Error(codes.NotFound, "gone")), codes.NotFound, "while: rpc error: code = NotFound desc = gone"},
		{"plain", plain, codes.Unknown, plain.Error()},
		{"canceled", context.Canceled, codes.Canceled, "context canceled"},
		{"wrapped deadline", fmt.Errorf("w: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "w: context deadline exceeded"},
		{"io.EOF", io.EOF, codes.Unknown, "EOF"},
	}
	var now error
	impl := &service{
		unary: func(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) { return nil, now },
		full:  func(testgrpc.TestService_FullDuplexCallServer) error { return now },
	}
	everyPair(t, func(t *testing.T, p pair) {
		client := testgrpc.NewTestServiceClient(p.connect(t, impl, setup{}))
		for _, c := range cases {
			now = c.err
			_, unaryErr := client.UnaryCall(deadline(t), &testgrpc.SimpleRequest{})
			stream, err := client.FullDuplexCall(deadline(t))
			if err != nil {
				t.Fatal(err)
			}
			_, streamErr := stream.Recv()
			for _, err := range []error{unaryErr, streamErr} {
				s, ok := status.FromError(err)
				if !ok || s.Code() != c.code || s.Message() != c.message {
					t.Errorf("%s: %v, %q, want %v, %q", c.name, s.Code(), s.Message(), c.code, c.message)
				}
				if want := status.New(c.code, c.message).Err().Error(); err.Error() != want {
					t.Errorf("%s prints as %q, want %q", c.name, err, want)
				}
			}
			if c.name == "status with details" {
				if !errors.Is(unaryErr, detailed.Err()) {
					t.Errorf("%v is not its own status", unaryErr)
				}
				details := status.Convert(streamErr).Details()
				if len(details) != 2 || details[0].(*errdetails.ErrorInfo).GetReason() != "R" {
					t.Errorf("details %v", details)
				}
			}
		}
	})
}

// A handler written for grpc-go may use Yodel's errors, which follow Yodel's
// rules, and what a call to another server returned is passed on.
func TestErrorsOfBothLibraries(t *testing.T) {
	p := pair{client: ours, server: ours}
	behind := testgrpc.NewTestServiceClient(p.connect(t, &service{
		unary: func(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			return nil, status.Error(codes.NotFound, "behind")
		},
	}, setup{}))
	var now func(context.Context) error
	client := testgrpc.NewTestServiceClient(p.connect(t, &service{
		unary: func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			return nil, now(ctx)
		},
	}, setup{}))
	call := func() error {
		_, err := client.UnaryCall(deadline(t), &testgrpc.SimpleRequest{})
		return err
	}
	now = func(context.Context) error {
		return yodelstatus.Errorf(yodelstatus.Aborted, "shown: %w", plainError("hidden"))
	}
	if err := call(); status.Code(err) != codes.Aborted || strings.Contains(err.Error(), "hidden") {
		t.Error(err)
	}
	now = func(context.Context) error { return yodelstatus.OutOfRange }
	wantCode(t, call(), codes.OutOfRange)
	now = func(ctx context.Context) error {
		_, err := behind.UnaryCall(ctx, &testgrpc.SimpleRequest{})
		if yodelstatus.CodeOf(err) != yodelstatus.NotFound {
			t.Errorf("to Yodel it is %v", yodelstatus.CodeOf(err))
		}
		return fmt.Errorf("front: %w", err)
	}
	wantCode(t, call(), codes.NotFound, "front: ", "behind")
}

type plainError string

func (e plainError) Error() string { return string(e) }

// Deadlines are carried, enforced, and reported as such on both sides.
func TestDeadline(t *testing.T) {
	ended := make(chan error, 2)
	wait := func(ctx context.Context) error {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("the handler has no deadline")
		}
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	impl := &service{
		unary: func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			return nil, wait(ctx)
		},
		full: func(stream testgrpc.TestService_FullDuplexCallServer) error { return wait(stream.Context()) },
	}
	everyPair(t, func(t *testing.T, p pair) {
		conn := p.connect(t, impl, setup{})
		client := testgrpc.NewTestServiceClient(conn)
		if _, err := client.EmptyCall(deadline(t), &testgrpc.Empty{}); status.Code(err) != codes.Unimplemented {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := client.UnaryCall(ctx, &testgrpc.SimpleRequest{})
		wantCode(t, err, codes.DeadlineExceeded)
		ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		stream, err := client.FullDuplexCall(ctx)
		if err == nil {
			_, err = stream.Recv()
		}
		wantCode(t, err, codes.DeadlineExceeded)
		for range 2 {
			<-ended
		}
	})
}

// Cancellation reaches the handler, and ends Send, Recv and the stream's context
// on the client, also where nobody receives.
func TestCancel(t *testing.T) {
	ended := make(chan error, 1)
	impl := &service{full: func(stream testgrpc.TestService_FullDuplexCallServer) error {
		_ = stream.SendHeader(metadata.MD{})
		<-stream.Context().Done()
		ended <- stream.Context().Err()
		return nil
	}}
	everyPair(t, func(t *testing.T, p pair) {
		finished := make(chan error, 1)
		client := testgrpc.NewTestServiceClient(p.connect(t, impl, setup{}))
		ctx, cancel := context.WithCancel(deadline(t))
		stream, err := client.FullDuplexCall(ctx, grpc.OnFinish(func(err error) { finished <- err }))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Header(); err != nil {
			t.Fatal(err)
		}
		cancel()
		<-stream.Context().Done()
		wantCode(t, <-finished, codes.Canceled)
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the handler's context ended with %v", err)
		}
		if err := stream.Send(&testgrpc.StreamingOutputCallRequest{}); err == nil {
			t.Error("Send works on a canceled call")
		}
		_, err = stream.Recv()
		wantCode(t, err, codes.Canceled)
	})
}

// Interceptors of both sides and kinds see each call, the first outermost, and
// can change it.
func TestInterceptors(t *testing.T) {
	everyPair(t, func(t *testing.T, p pair) {
		var mu sync.Mutex
		var order []string
		note := func(s string) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, s)
		}
		var s setup
		for _, n := range []string{"1", "2"} {
			s.client.UnaryInterceptors = append(s.client.UnaryInterceptors, func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				note("client " + n)
				if !strings.HasPrefix(cc.Target(), "127.0.0.1:") {
					t.Errorf("the interceptor's target is %q", cc.Target())
				}
				err := invoker(metadata.AppendToOutgoingContext(ctx, "x-by", n), method, req, reply, cc, opts...)
				note("client " + n + " " + status.Code(err).String())
				return err
			})
			s.client.StreamInterceptors = append(s.client.StreamInterceptors, func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
				note("client " + n + " " + desc.StreamName)
				return streamer(metadata.AppendToOutgoingContext(ctx, "x-by", n), desc, cc, method, opts...)
			})
			s.unaryServer = append(s.unaryServer, func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
				md, _ := metadata.FromIncomingContext(ctx)
				note("server " + n + " " + info.FullMethod + " " + strings.Join(md.Get("x-by"), ","))
				if _, ok := info.Server.(*service); !ok {
					t.Errorf("info.Server is %T", info.Server)
				}
				return handler(ctx, req)
			})
			s.streamServer = append(s.streamServer, func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
				note(fmt.Sprintf("server %s %s %v %v", n, info.FullMethod, info.IsClientStream, info.IsServerStream))
				return handler(srv, ss)
			})
		}
		client := testgrpc.NewTestServiceClient(p.connect(t, &service{}, s))
		if _, err := client.UnaryCall(deadline(t), &testgrpc.SimpleRequest{}); err != nil {
			t.Fatal(err)
		}
		stream, err := client.StreamingOutputCall(deadline(t), &testgrpc.StreamingOutputCallRequest{})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = stream.Recv()
		mu.Lock()
		defer mu.Unlock()
		const path = "/grpc.testing.TestService/"
		want := []string{
			"client 1", "client 2", "server 1 " + path + "UnaryCall 1,2", "server 2 " + path + "UnaryCall 1,2", "client 2 OK", "client 1 OK",
			"client 1 StreamingOutputCall", "client 2 StreamingOutputCall",
			"server 1 " + path + "StreamingOutputCall false true", "server 2 " + path + "StreamingOutputCall false true",
		}
		if !slices.Equal(order, want) {
			t.Errorf("got  %q\nwant %q", order, want)
		}
	})
}

// OnFinish is called once for every call, with its status, however it ends.
func TestOnFinish(t *testing.T) {
	impl := &service{
		unary: func(_ context.Context, req *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			if req.GetFillUsername() {
				return nil, status.Error(codes.Aborted, "no")
			}
			return &testgrpc.SimpleResponse{}, nil
		},
	}
	everyPair(t, func(t *testing.T, p pair) {
		client := testgrpc.NewTestServiceClient(p.connect(t, impl, setup{}))
		var mu sync.Mutex
		var results []codes.Code
		option := grpc.OnFinish(func(err error) {
			mu.Lock()
			defer mu.Unlock()
			results = append(results, status.Code(err))
		})
		want := func(name string, code codes.Code) {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(results, []codes.Code{code}) {
				t.Errorf("%s: OnFinish got %v, want one %v", name, results, code)
			}
			results = nil
		}
		_, _ = client.UnaryCall(deadline(t), &testgrpc.SimpleRequest{}, option)
		want("OK", codes.OK)
		_, _ = client.UnaryCall(deadline(t), &testgrpc.SimpleRequest{FillUsername: true}, option)
		want("failure", codes.Aborted)
		in, err := client.StreamingInputCall(deadline(t), option)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = in.CloseAndRecv()
		want("client stream", codes.OK)
		chat, err := client.FullDuplexCall(deadline(t), option)
		if err != nil {
			t.Fatal(err)
		}
		_ = chat.CloseSend()
		_, _ = chat.Recv()
		want("bidi stream", codes.OK)
		chat, err = client.FullDuplexCall(deadline(t), option, grpc.MaxCallSendMsgSize(10))
		if err != nil {
			t.Fatal(err)
		}
		_ = chat.Send(&testgrpc.StreamingOutputCallRequest{Payload: payload(100)})
		want("message too large", codes.ResourceExhausted)
		_, err = chat.Recv()
		wantCode(t, err, codes.ResourceExhausted)
		ctx, cancel := context.WithCancel(deadline(t))
		cancel()
		_, _ = client.UnaryCall(ctx, &testgrpc.SimpleRequest{}, option)
		want("canceled before", codes.Canceled)
		_, _ = client.UnaryCall(deadline(t), &testgrpc.SimpleRequest{}, option, grpc.CallContentSubtype("none"))
		want("bad option", codes.Internal)
	})
}

// Where an interceptor of the channel answers without a call, a stream ends all
// the same.
func TestStreamWithoutACall(t *testing.T) {
	impl := &service{}
	channel := yodeltest.New(t, func(s *yodel.Server) {
		testgrpc.RegisterTestServiceServer(grpcgo.NewRegistrar(s, grpcgo.RegistrarConfig{}), impl)
	}, yodeltest.Config{Channel: yodel.ChannelConfig{Interceptors: []yodel.ClientInterceptor{
		func(yodel.Invoker) yodel.Invoker {
			return func(context.Context, *yodel.Call) (yodel.Stream, error) { return noCall{}, nil }
		},
	}}})
	finished := 0
	client := testgrpc.NewTestServiceClient(grpcgo.NewClientConn(channel, grpcgo.ClientConfig{}))
	stream, err := client.FullDuplexCall(deadline(t), grpc.OnFinish(func(error) { finished++ }))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	<-stream.Context().Done()
	if finished != 1 {
		t.Errorf("OnFinish was called %d times", finished)
	}
	if err := stream.Send(&testgrpc.StreamingOutputCallRequest{}); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// noCall is a stream with no messages and an OK status.
type noCall struct{}

func (noCall) Send(any) error                    { return io.EOF }
func (noCall) CloseSend() error                  { return nil }
func (noCall) Receive(any) error                 { return io.EOF }
func (noCall) Header() (yodelmetadata.MD, error) { return nil, nil }
func (noCall) Trailer() yodelmetadata.MD         { return nil }
func (noCall) Close() error                      { return nil }

// Send fails as grpc-go's does: with io.EOF where the server has ended the call,
// and then Recv has the status.
func TestSendAfterTheEnd(t *testing.T) {
	impl := &service{
		full: func(testgrpc.TestService_FullDuplexCallServer) error { return status.Error(codes.Aborted, "enough") },
		input: func(testgrpc.TestService_StreamingInputCallServer) error {
			return status.Error(codes.Aborted, "enough")
		},
	}
	everyPair(t, func(t *testing.T, p pair) {
		client := testgrpc.NewTestServiceClient(p.connect(t, impl, setup{}))
		for range 20 {
			in, err := client.StreamingInputCall(deadline(t))
			if err != nil {
				t.Fatal(err)
			}
			for err == nil {
				err = in.Send(&testgrpc.StreamingInputCallRequest{Payload: payload(100)})
			}
			if !errors.Is(err, io.EOF) {
				t.Fatalf("Send fails with %v, want io.EOF", err)
			}
			_, err = in.CloseAndRecv()
			wantCode(t, err, codes.Aborted, "enough")
		}
	})
}

// token is credentials that give one value.
type token struct {
	value  string
	secure bool
	err    error
	saw    func(ctx context.Context, uri []string)
}

func (c token) GetRequestMetadata(ctx context.Context, uri ...string) (map[string]string, error) {
	if c.saw != nil {
		c.saw(ctx, uri)
	}
	return map[string]string{"Authorization": c.value}, c.err
}

func (c token) RequireTransportSecurity() bool { return c.secure }

// Per-call credentials add their metadata, know what they are asked for, and
// stay off plaintext connections if they must.
func TestPerRPCCredentials(t *testing.T) {
	var got []string
	impl := &service{unary: func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
		got = metadata.ValueFromIncomingContext(ctx, "authorization")
		return &testgrpc.SimpleResponse{}, nil
	}}
	everyPair(t, func(t *testing.T, p pair) {
		checked := false
		saw := func(ctx context.Context, uri []string) {
			checked = true
			info, _ := grpccredentials.RequestInfoFromContext(ctx)
			if err := grpccredentials.CheckSecurityLevel(info.AuthInfo, grpccredentials.PrivacyAndIntegrity); err != nil {
				t.Error(err)
			}
			if info.Method != testgrpc.TestService_UnaryCall_FullMethodName || len(uri) != 1 || !strings.HasPrefix(uri[0], "https://127.0.0.1:") || !strings.HasSuffix(uri[0], "/grpc.testing.TestService") {
				t.Errorf("asked for %q, %q", info.Method, uri)
			}
		}
		dial := grpcgo.ClientConfig{PerRPCCredentials: []grpccredentials.PerRPCCredentials{token{value: "dial", secure: true}}}
		client := testgrpc.NewTestServiceClient(p.connect(t, impl, setup{secure: true, client: dial}))
		if _, err := client.UnaryCall(deadline(t), &testgrpc.SimpleRequest{}, grpc.PerRPCCredentials(token{value: "call", secure: true, saw: saw})); err != nil {
			t.Fatal(err)
		}
		if slices.Sort(got); !slices.Equal(got, []string{"call", "dial"}) || !checked {
			t.Errorf("the server got %q", got)
		}
		plain := testgrpc.NewTestServiceClient(p.connect(t, impl, setup{}))
		got = nil
		_, err := plain.UnaryCall(deadline(t), &testgrpc.SimpleRequest{}, grpc.PerRPCCredentials(token{value: "secret", secure: true}))
		wantCode(t, err, codes.Unauthenticated, "secure")
		if got != nil {
			t.Errorf("a secret was sent in plaintext: %q", got)
		}
		if _, err := plain.UnaryCall(deadline(t), &testgrpc.SimpleRequest{}, grpc.PerRPCCredentials(token{value: "open"})); err != nil || !slices.Equal(got, []string{"open"}) {
			t.Errorf("%q, %v", got, err)
		}
		for _, c := range []struct {
			err  error
			code codes.Code
		}{
			{errors.New("no token"), codes.Internal},
			{status.Error(codes.Unavailable, "later"), codes.Unavailable},
			{status.Error(codes.NotFound, "not theirs to say"), codes.Internal},
		} {
			_, err := plain.UnaryCall(deadline(t), &testgrpc.SimpleRequest{}, grpc.PerRPCCredentials(token{err: c.err}))
			wantCode(t, err, c.code)
		}
	})
}

// The limits of messages, on the way out and in.
func TestSizeLimits(t *testing.T) {
	everyPair(t, func(t *testing.T, p pair) {
		client := testgrpc.NewTestServiceClient(p.connect(t, &service{}, setup{}))
		req := &testgrpc.SimpleRequest{Payload: payload(1000)}
		_, err := client.UnaryCall(deadline(t), req, grpc.MaxCallSendMsgSize(999))
		wantCode(t, err, codes.ResourceExhausted)
		_, err = client.UnaryCall(deadline(t), req, grpc.MaxCallRecvMsgSize(999))
		wantCode(t, err, codes.ResourceExhausted)
		if _, err := client.UnaryCall(deadline(t), req, grpc.MaxCallSendMsgSize(2000), grpc.MaxCallRecvMsgSize(2000)); err != nil {
			t.Error(err)
		}
	})
}

// With no server a call fails at once, with the cause; with WaitForReady it
// waits for its deadline.
func TestWaitForReady(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := lis.Addr().String()
	_ = lis.Close()
	channel, err := yodel.NewChannel(address, yodel.ChannelConfig{Credentials: credentials.Insecure()})
	if err != nil {
		t.Fatal(err)
	}
	defer channel.Close()
	client := testgrpc.NewTestServiceClient(grpcgo.NewClientConn(channel, grpcgo.ClientConfig{
		CallOptions: []grpc.CallOption{grpc.WaitForReady(true)},
	}))
	_, err = client.UnaryCall(deadline(t), &testgrpc.SimpleRequest{}, grpc.WaitForReady(false))
	wantCode(t, err, codes.Unavailable, "refused", address)
	_, err = client.StreamingOutputCall(deadline(t), &testgrpc.StreamingOutputCallRequest{}, grpc.WaitForReady(false))
	wantCode(t, err, codes.Unavailable, "refused", address)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = client.UnaryCall(ctx, &testgrpc.SimpleRequest{})
	wantCode(t, err, codes.DeadlineExceeded, "refused")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v has lost its cause", err)
	}
}

// A handler's panic is its call's alone.
func TestPanic(t *testing.T) {
	impl := &service{unary: func(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) { panic("oops") }}
	channel := yodeltest.New(t, func(s *yodel.Server) {
		testgrpc.RegisterTestServiceServer(grpcgo.NewRegistrar(s, grpcgo.RegistrarConfig{}), impl)
	})
	client := testgrpc.NewTestServiceClient(grpcgo.NewClientConn(channel, grpcgo.ClientConfig{}))
	_, err := client.UnaryCall(deadline(t), &testgrpc.SimpleRequest{})
	wantCode(t, err, codes.Internal)
	if strings.Contains(err.Error(), "oops") {
		t.Errorf("%v shows the panic", err)
	}
}
