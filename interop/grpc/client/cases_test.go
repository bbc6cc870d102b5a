package main

import (
	"context"
	"iter"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/interop/grpc/endpoint"
	"github.com/yodelrpc/yodel/interop/grpc/service"
	"github.com/yodelrpc/yodel/interop/grpc/testingpb"
)

// serve serves impl, and returns the flags of a client for it.
func serve(t *testing.T, register func(*yodel.Server)) endpoint.Client {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := yodel.NewServer(yodel.ServerConfig{Credentials: credentials.Insecure(), DrainTimeout: time.Millisecond})
	register(s)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, lis) }()
	t.Cleanup(func() {
		stop()
		<-served
	})
	host, text, err := net.SplitHostPort(lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return endpoint.Client{Host: host, Port: port, Soak: endpoint.Soak{
		Iterations: 4, Threads: 2, MaxLatencyMillis: 10000, OverallTimeoutSeconds: 20, RequestSize: 1000, ResponseSize: 2000,
	}}
}

func TestCasesPass(t *testing.T) {
	e := serve(t, func(s *yodel.Server) { testingpb.RegisterTestService(s, new(service.TestService)) })
	for name := range cases {
		e.Case = name
		if err := run(e); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// wrong is a server that does nothing right.
type wrong struct {
	testingpb.UnimplementedTestService
}

func (wrong) EmptyCall(context.Context, *testingpb.Empty) (*testingpb.Empty, error) {
	return nil, yodel.Unimplemented(testingpb.TestService_EmptyCall)
}

func (wrong) UnaryCall(context.Context, *testingpb.SimpleRequest) (*testingpb.SimpleResponse, error) {
	return &testingpb.SimpleResponse{Payload: &testingpb.Payload{Body: []byte{1}}}, nil
}

func (wrong) StreamingOutputCall(_ context.Context, _ *testingpb.StreamingOutputCallRequest, send func(*testingpb.StreamingOutputCallResponse) error) error {
	return send(&testingpb.StreamingOutputCallResponse{Payload: &testingpb.Payload{Body: make([]byte, 31415)}})
}

func (wrong) StreamingInputCall(context.Context, iter.Seq2[*testingpb.StreamingInputCallRequest, error]) (*testingpb.StreamingInputCallResponse, error) {
	return &testingpb.StreamingInputCallResponse{AggregatedPayloadSize: 1}, nil
}

func (wrong) FullDuplexCall(_ context.Context, _ iter.Seq2[*testingpb.StreamingOutputCallRequest, error], send func(*testingpb.StreamingOutputCallResponse) error) error {
	return send(&testingpb.StreamingOutputCallResponse{Payload: &testingpb.Payload{Body: []byte{1}}})
}

// missing serves what must be left out.
type missing struct{}

func (missing) UnimplementedCall(context.Context, *testingpb.Empty) (*testingpb.Empty, error) {
	return new(testingpb.Empty), nil
}

// A case that passes against anything proves nothing.
func TestCasesFail(t *testing.T) {
	e := serve(t, func(s *yodel.Server) {
		testingpb.RegisterTestService(s, wrong{})
		testingpb.RegisterTestServiceMissing(s, missing{})
		testingpb.RegisterUnimplementedService(s, missing{})
	})
	// What these two want, a client does by itself.
	local := map[string]bool{"timeout_on_sleeping_server": true, "cancel_after_begin": true}
	for name := range cases {
		e.Case = name
		if err := run(e); err == nil && !local[name] {
			t.Errorf("%s passes against a server that does nothing right", name)
		}
	}
	e.Case = "none"
	if run(e) == nil {
		t.Error("a case that does not exist passes")
	}
}
