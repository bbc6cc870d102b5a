package grpcgo_test

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	grpcencoding "google.golang.org/grpc/encoding"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	_ "google.golang.org/grpc/encoding/gzip"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/compat/grpcgo"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/transport/inproc"
	"github.com/yodelrpc/yodel/yodeltest"
)

// local returns a channel of Yodel's to impl in this process.
func local(t *testing.T, impl testgrpc.TestServiceServer, cfg ...yodeltest.Config) *yodel.Channel {
	t.Helper()
	return yodeltest.New(t, func(s *yodel.Server) {
		testgrpc.RegisterTestServiceServer(grpcgo.NewRegistrar(s, grpcgo.RegistrarConfig{}), impl)
	}, cfg...)
}

// carried is an option as interceptors have them: data, and an embedded option.
type (
	carried      struct{ grpc.EmptyCallOption }
	carriedLimit struct {
		grpc.MaxRecvMsgSizeCallOption
		note string
	}
	carriedAny    struct{ grpc.CallOption }
	carriedNought struct{ grpc.CallOption }
)

// What is not supported is refused by name, and never left out.
func TestOptions(t *testing.T) {
	client := testgrpc.NewTestServiceClient(grpcgo.NewClientConn(local(t, &service{}), grpcgo.ClientConfig{}))
	req := &testgrpc.SimpleRequest{Payload: payload(100)}
	for _, c := range []struct {
		option grpc.CallOption
		code   codes.Code
		says   string
	}{
		{grpc.StaticMethod(), codes.OK, ""},
		{grpc.EmptyCallOption{}, codes.OK, ""},
		{carried{}, codes.OK, ""},
		{&carried{}, codes.OK, ""},
		{carriedAny{carried{}}, codes.OK, ""},
		{carriedLimit{grpc.MaxRecvMsgSizeCallOption{MaxRecvMsgSize: 10}, ""}, codes.ResourceExhausted, ""},
		{carriedAny{grpc.MaxCallRecvMsgSize(10)}, codes.ResourceExhausted, ""},
		{carriedNought{}, codes.Unimplemented, "carriedNought"},
		{grpc.CallAuthority("other"), codes.Unimplemented, "AuthorityOverrideCallOption"},
		{grpc.MaxRetryRPCBufferSize(1), codes.Unimplemented, "MaxRetryRPCBufferSizeCallOption"},
		{grpc.CallCustomCodec(nil), codes.Unimplemented, "CustomCodecCallOption"}, //nolint:staticcheck // it must be refused
		{carriedAny{grpc.CallAuthority("other")}, codes.Unimplemented, "AuthorityOverrideCallOption"},
		{grpc.MaxCallRecvMsgSize(0), codes.Unimplemented, "MaxCallRecvMsgSize(0)"},
		{grpc.MaxCallSendMsgSize(-1), codes.Unimplemented, "MaxCallSendMsgSize(-1)"},
		{grpc.UseCompressor("none"), codes.Internal, `UseCompressor("none")`},
		{grpc.UseCompressor("identity"), codes.Unimplemented, "identity"},
		{grpc.CallContentSubtype("none"), codes.Internal, `CallContentSubtype("none")`},
	} {
		_, err := client.UnaryCall(deadline(t), req, c.option)
		wantCode(t, err, c.code, c.says)
		stream, err := client.FullDuplexCall(deadline(t), c.option)
		if err == nil {
			_ = stream.Send(&testgrpc.StreamingOutputCallRequest{Payload: payload(100)})
			_ = stream.CloseSend()
			for err == nil {
				_, err = stream.Recv()
			}
			err = eofOr(err, func() error { return nil })
		}
		wantCode(t, err, c.code, c.says)
	}
}

// A method's name that cannot be one is refused before anything is sent.
func TestMethodNames(t *testing.T) {
	conn := grpcgo.NewClientConn(local(t, &service{}), grpcgo.ClientConfig{})
	for _, name := range []string{"", "/", "a/b", "//", "/a", "/a/", "/a/b/c", "/a b/c"} {
		wantCode(t, conn.Invoke(deadline(t), name, nil, nil), codes.Internal)
	}
	wantCode(t, conn.Invoke(deadline(t), "/a/b", nil, nil), codes.Unimplemented, "unknown service")
}

// nil is a message without content, as it is to grpc-go.
func TestNilMessages(t *testing.T) {
	everyPair(t, func(t *testing.T, p pair) {
		conn := p.connect(t, &service{}, setup{})
		var req proto.Message
		resp := new(testgrpc.SimpleResponse)
		if err := conn.Invoke(deadline(t), testgrpc.TestService_UnaryCall_FullMethodName, req, resp); err != nil {
			t.Error(err)
		}
	})
}

// legacy is a message of protobuf's first API: no ProtoReflect.
type legacy struct {
	Payload *testgrpc.Payload `protobuf:"bytes,3,opt,name=payload"`
}

func (l *legacy) Reset()         { *l = legacy{} }
func (l *legacy) String() string { return "legacy" }
func (*legacy) ProtoMessage()    {}

func TestMessagesOfTheFirstAPI(t *testing.T) {
	everyPair(t, func(t *testing.T, p pair) {
		conn := p.connect(t, &service{unary: func(_ context.Context, req *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			// Field 3 of the response does not exist: it comes back as unknown.
			resp := new(testgrpc.SimpleResponse)
			resp.ProtoReflect().SetUnknown(append([]byte{3<<3 | 2, 4, 2<<3 | 2, 2}, req.GetPayload().GetBody()[:2]...))
			return resp, nil
		}}, setup{})
		resp := new(legacy)
		err := conn.Invoke(deadline(t), testgrpc.TestService_UnaryCall_FullMethodName, &legacy{Payload: &testgrpc.Payload{Body: []byte("hey")}}, resp)
		if err != nil || string(resp.Payload.GetBody()) != "he" {
			t.Errorf("%v, %v", resp.Payload, err)
		}
	})
}

// upper is a codec of grpc-go's first kind: Go's JSON, so that any type will do.
type upper struct{}

func (upper) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

func (upper) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

func (upper) Name() string { return "Yodel-Test" }

// upperV2 is the same, of the second kind.
type upperV2 struct{}

func (upperV2) Marshal(v any) (mem.BufferSlice, error) {
	b, err := json.Marshal(v)
	return mem.BufferSlice{mem.SliceBuffer(b)}, err
}

func (upperV2) Unmarshal(data mem.BufferSlice, v any) error {
	return json.Unmarshal(data.Materialize(), v)
}

func (upperV2) Name() string { return "Yodel-Test-2" }

// Codecs that the program registers with grpc-go, or forces, work on both
// sides; JSON is Yodel's.
func TestCodecs(t *testing.T) {
	grpcencoding.RegisterCodec(upper{})
	grpcencoding.RegisterCodecV2(upperV2{})
	var codecs []encoding.Codec
	for _, name := range []string{"yodel-test", "Yodel-Test-2", "json"} {
		codec, ok := grpcgo.Codec(name)
		if !ok || codec.Name() != strings.ToLower(name) {
			t.Fatalf("Codec(%q) is %v", name, codec)
		}
		codecs = append(codecs, codec)
	}
	if _, ok := grpcgo.Codec("none"); ok {
		t.Error("there is a codec called none")
	}
	conn := grpcgo.NewClientConn(local(t, &service{}, yodeltest.Config{Server: yodel.ServerConfig{Codecs: codecs}}), grpcgo.ClientConfig{})
	client := testgrpc.NewTestServiceClient(conn)
	for _, options := range [][]grpc.CallOption{
		{grpc.CallContentSubtype("Yodel-Test")},
		{grpc.CallContentSubtype("yodel-test-2")},
		{grpc.CallContentSubtype("json")},
		{grpc.ForceCodec(upper{})},
		{grpc.ForceCodecV2(upperV2{})},
		{grpc.ForceCodecV2(upperV2{}), grpc.CallContentSubtype("yodel-test")},
	} {
		resp, err := client.UnaryCall(deadline(t), &testgrpc.SimpleRequest{Payload: payload(3)}, options...)
		if err != nil || len(resp.GetPayload().GetBody()) != 3 {
			t.Errorf("%v: %v, %v", options, resp, err)
		}
	}
	// Not protobuf at all.
	resp := map[string]any{}
	err := conn.Invoke(deadline(t), testgrpc.TestService_UnaryCall_FullMethodName, map[string]any{"response_size": 1}, &resp, grpc.ForceCodec(upper{}))
	if err != nil {
		t.Error(err)
	}
	err = conn.Invoke(deadline(t), testgrpc.TestService_UnaryCall_FullMethodName, func() {}, &resp, grpc.ForceCodec(upper{}))
	wantCode(t, err, codes.Internal, "encoded")
}

// deflate is a compressor of grpc-go's.
type deflate struct{ used *atomic.Int32 }

func (deflate) Name() string { return "yodel-deflate" }

func (d deflate) Compress(w io.Writer) (io.WriteCloser, error) {
	d.used.Add(1)
	return flate.NewWriter(w, flate.BestSpeed)
}

func (d deflate) Decompress(r io.Reader) (io.Reader, error) {
	d.used.Add(1)
	return flate.NewReader(r), nil
}

// UseCompressor has gzip and what the program has registered; what comes out of
// a bridged compressor is bounded while it is read.
func TestCompressors(t *testing.T) {
	var used atomic.Int32
	grpcencoding.RegisterCompressor(deflate{&used})
	bridged, ok := grpcgo.Compressor("yodel-deflate")
	if _, none := grpcgo.Compressor("none"); !ok || none {
		t.Fatal("Compressor finds what it should not, or not what it should")
	}
	client := testgrpc.NewTestServiceClient(grpcgo.NewClientConn(local(t, &service{}, yodeltest.Config{
		Server: yodel.ServerConfig{Compressors: []encoding.Compressor{bridged, &encoding.Gzip{}}, MaxReceiveBytes: 1 << 20},
	}), grpcgo.ClientConfig{}))
	for _, name := range []string{"yodel-deflate", "gzip"} {
		resp, err := client.UnaryCall(deadline(t), &testgrpc.SimpleRequest{Payload: payload(1 << 19)}, grpc.UseCompressor(name))
		if err != nil || len(resp.GetPayload().GetBody()) != 1<<19 {
			t.Errorf("%s: %v", name, err)
		}
		_, err = client.UnaryCall(deadline(t), &testgrpc.SimpleRequest{Payload: payload(1 << 21)}, grpc.UseCompressor(name))
		wantCode(t, err, codes.ResourceExhausted, "1048576")
	}
	if used.Load() != 4 {
		t.Errorf("the registered compressor was used %d times, want 4", used.Load())
	}
	everyPair(t, func(t *testing.T, p pair) {
		client := testgrpc.NewTestServiceClient(p.connect(t, &service{}, setup{}))
		if _, err := client.UnaryCall(deadline(t), &testgrpc.SimpleRequest{Payload: payload(1 << 19)}, grpc.UseCompressor("gzip")); err != nil {
			t.Error(err)
		}
	})
}

// The bridge stops at the limit: a little that becomes a lot is not read to its
// end.
func TestDecompressionIsBounded(t *testing.T) {
	var used atomic.Int32
	grpcencoding.RegisterCompressor(deflate{&used})
	c, _ := grpcgo.Compressor("yodel-deflate")
	bomb, err := c.Compress(nil, make([]byte, 8<<20))
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{0, 1, 1 << 16, 8<<20 - 1} {
		if _, err := c.Decompress(nil, bomb, limit); !errors.Is(err, encoding.ErrTooLarge) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
	if b, err := c.Decompress([]byte("x"), bomb, 8<<20); err != nil || len(b) != 8<<20+1 || b[0] != 'x' {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _ = c.Decompress(nil, bomb, 1<<16)
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 1<<20 {
		t.Errorf("a limit of 64 KiB costs %d bytes", allocated)
	}
	if _, err := c.Decompress(nil, bomb[:10], 1<<16); err == nil {
		t.Error("half a message decompresses")
	}
}

// Code that wants a *grpc.ClientConn gets one that calls over Yodel and connects
// to nothing.
func TestConcrete(t *testing.T) {
	seen := 0
	count := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		seen++
		return invoker(ctx, method, req, reply, cc, opts...)
	}
	conn := grpcgo.NewClientConn(local(t, &service{}), grpcgo.ClientConfig{UnaryInterceptors: []grpc.UnaryClientInterceptor{count}})
	cc, err := conn.Concrete()
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := conn.Concrete(); again != cc {
		t.Error("Concrete makes another one each time")
	}
	client := testgrpc.NewTestServiceClient(cc)
	if _, err := client.UnaryCall(deadline(t), &testgrpc.SimpleRequest{}); err != nil || seen != 1 {
		t.Errorf("%v; the interceptor saw %d calls", err, seen)
	}
	chat, err := client.FullDuplexCall(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	_ = chat.CloseSend()
	if _, err := chat.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if cc.GetState() != connectivity.Idle {
		t.Errorf("it is %v", cc.GetState())
	}
	cc.Connect()
	for cc.GetState() != connectivity.TransientFailure {
		if !cc.WaitForStateChange(deadline(t), cc.GetState()) {
			t.Fatalf("Connect leaves it in %v", cc.GetState())
		}
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if _, err := conn.Concrete(); err == nil {
		t.Error("Concrete works after Close")
	}
	wantCode(t, conn.Invoke(deadline(t), "/a/b", nil, nil), codes.Internal, "closed")
}

// An implementation that does not fit is an error of Serve, as are two of one
// service.
func TestRegistrationErrors(t *testing.T) {
	desc := testgrpc.TestService_ServiceDesc
	for _, c := range []struct {
		says     string
		register func(*grpcgo.Registrar)
	}{
		{"cannot be served by int", func(r *grpcgo.Registrar) { r.RegisterService(&desc, 7) }},
		{"twice", func(r *grpcgo.Registrar) {
			testgrpc.RegisterTestServiceServer(r, &service{})
			testgrpc.RegisterTestServiceServer(r, &service{})
		}},
	} {
		s := yodel.NewServer(yodel.ServerConfig{})
		c.register(grpcgo.NewRegistrar(s, grpcgo.RegistrarConfig{}))
		if err := s.ServeTransport(t.Context(), inproc.NewListener(inproc.Config{})); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("Serve returns %v, want %q", err, c.says)
		}
	}
}

// native is a method as Yodel's own stubs register it.
var native = &yodel.Method{Service: "grpc.testing.ReconnectService", Name: "Native", Kind: yodel.BidiStreamKind}

// grpc-go's health and reflection services run on Yodel, for its clients and
// for ours.
func TestHealthAndReflection(t *testing.T) {
	everyPair(t, func(t *testing.T, p pair) {
		server := health.NewServer()
		conn := p.connect(t, &service{}, setup{register: func(r registrar) {
			healthpb.RegisterHealthServer(r, server)
			reflection.Register(r)
			if ours, ok := r.(yodel.Registrar); ok {
				ours.Register(yodel.Route{Method: native, Handler: func(context.Context, *yodel.Call, yodel.Stream) error { return nil }})
			}
		}})
		checkHealth(t, healthpb.NewHealthClient(conn), server)
		want := []string{
			"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection", "grpc.testing.TestService",
		}
		if p.server == ours {
			want = append(want, native.Service)
			slices.Sort(want)
		}
		if got := servicesV1(t, conn); !slices.Equal(got, want) {
			t.Errorf("v1 lists %q, want %q", got, want)
		}
		if got := servicesV1alpha(t, conn); !slices.Equal(got, want) {
			t.Errorf("v1alpha lists %q, want %q", got, want)
		}
	})
}

func checkHealth(t *testing.T, client healthpb.HealthClient, server *health.Server) {
	t.Helper()
	resp, err := client.Check(deadline(t), &healthpb.HealthCheckRequest{})
	if err != nil || resp.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("Check: %v, %v", resp, err)
	}
	_, err = client.Check(deadline(t), &healthpb.HealthCheckRequest{Service: "none"})
	wantCode(t, err, codes.NotFound)
	watch, err := client.Watch(deadline(t), &healthpb.HealthCheckRequest{Service: "late"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthpb.HealthCheckResponse_ServingStatus{
		healthpb.HealthCheckResponse_SERVICE_UNKNOWN, healthpb.HealthCheckResponse_SERVING, healthpb.HealthCheckResponse_NOT_SERVING,
	} {
		if want != healthpb.HealthCheckResponse_SERVICE_UNKNOWN {
			server.SetServingStatus("late", want)
		}
		if resp, err := watch.Recv(); err != nil || resp.GetStatus() != want {
			t.Fatalf("Watch: %v, %v, want %v", resp, err, want)
		}
	}
}

func servicesV1(t *testing.T, conn grpc.ClientConnInterface) []string {
	t.Helper()
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(req *reflectionv1.ServerReflectionRequest) *reflectionv1.ServerReflectionResponse {
		if err := stream.Send(req); err != nil {
			t.Fatal(err)
		}
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	list := ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
	var names []string
	for _, s := range list.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	files := ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{
		FileContainingSymbol: "grpc.testing.TestService",
	}}).GetFileDescriptorResponse().GetFileDescriptorProto()
	file := new(descriptorpb.FileDescriptorProto)
	if len(files) == 0 || proto.Unmarshal(files[0], file) != nil || len(file.GetService()) == 0 {
		t.Errorf("no descriptor of the service in %d files", len(files))
	}
	return names
}

func servicesV1alpha(t *testing.T, conn grpc.ClientConnInterface) []string {
	t.Helper()
	stream, err := reflectionv1alpha.NewServerReflectionClient(conn).ServerReflectionInfo(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	//nolint:staticcheck // deprecated, and what older tools ask
	err = stream.Send(&reflectionv1alpha.ServerReflectionRequest{MessageRequest: &reflectionv1alpha.ServerReflectionRequest_ListServices{}})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range resp.GetListServicesResponse().GetService() { //nolint:staticcheck // as above
		names = append(names, s.GetName()) //nolint:staticcheck // as above
	}
	return names
}

// A connection that is lost is UNAVAILABLE, and not the end of the messages.
func TestLostConnection(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := yodel.NewServer(yodel.ServerConfig{Credentials: credentials.Insecure(), DrainTimeout: time.Nanosecond})
	testgrpc.RegisterTestServiceServer(grpcgo.NewRegistrar(s, grpcgo.RegistrarConfig{}), &service{
		output: func(_ *testgrpc.StreamingOutputCallRequest, stream testgrpc.TestService_StreamingOutputCallServer) error {
			err := stream.Send(&testgrpc.StreamingOutputCallResponse{})
			<-stream.Context().Done()
			return err
		},
	})
	served := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { served <- s.Serve(ctx, lis) }()
	channel, err := yodel.NewChannel(lis.Addr().String(), yodel.ChannelConfig{Credentials: credentials.Insecure()})
	if err != nil {
		t.Fatal(err)
	}
	defer channel.Close()
	client := testgrpc.NewTestServiceClient(grpcgo.NewClientConn(channel, grpcgo.ClientConfig{}))
	stream, err := client.StreamingOutputCall(deadline(t), &testgrpc.StreamingOutputCallRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	stop()
	_, err = stream.Recv()
	wantCode(t, err, codes.Unavailable)
	<-served
}

// FuzzDecompress: whatever arrives, a bridged compressor gives no more than its
// limit, and keeps what was there.
func FuzzDecompress(f *testing.F) {
	var used atomic.Int32
	grpcencoding.RegisterCompressor(deflate{&used})
	c, _ := grpcgo.Compressor("yodel-deflate")
	good, _ := c.Compress(nil, bytes.Repeat([]byte("yodel"), 100))
	f.Add(good, 500)
	f.Add(good, 499)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, data []byte, limit int) {
		limit = max(0, min(limit, 1<<20))
		out, err := c.Decompress([]byte("kept"), data, limit)
		if err == nil && (len(out) > limit+4 || string(out[:4]) != "kept") {
			t.Errorf("%d bytes, limit %d", len(out), limit)
		}
	})
}
