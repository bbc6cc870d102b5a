// Package service implements grpc.testing.TestService on Yodel's own stubs, as
// gRPC's interoperation test descriptions ask
// (https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md).
package service

import (
	"context"
	"iter"
	"time"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/interop/grpc/testingpb"
	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
)

// The metadata that the service sends back: the first in the header, the second
// in the trailer.
const (
	EchoInitial  = "x-grpc-test-echo-initial"
	EchoTrailing = "x-grpc-test-echo-trailing-bin"
)

// TestService implements the service. The zero value is ready to use.
type TestService struct {
	gzip encoding.Gzip
}

var _ testingpb.TestServiceServer = (*TestService)(nil)

// EmptyCall implements testingpb.TestServiceServer.
func (*TestService) EmptyCall(ctx context.Context, _ *testingpb.Empty) (*testingpb.Empty, error) {
	return new(testingpb.Empty), echo(ctx)
}

// UnaryCall implements testingpb.TestServiceServer.
func (s *TestService) UnaryCall(ctx context.Context, req *testingpb.SimpleRequest) (*testingpb.SimpleResponse, error) {
	if err := s.begin(ctx, req.GetExpectCompressed(), req.GetResponseCompressed()); err != nil {
		return nil, err
	}
	if err := asked(req.GetResponseStatus()); err != nil {
		return nil, err
	}
	payload, err := newPayload(req.GetResponseType(), req.GetResponseSize())
	if err != nil {
		return nil, err
	}
	return &testingpb.SimpleResponse{Payload: payload}, nil
}

// StreamingOutputCall implements testingpb.TestServiceServer.
func (s *TestService) StreamingOutputCall(ctx context.Context, req *testingpb.StreamingOutputCallRequest, send func(*testingpb.StreamingOutputCallResponse) error) error {
	var compressed *testingpb.BoolValue
	for _, p := range req.GetResponseParameters() {
		compressed = p.GetCompressed()
	}
	if err := s.begin(ctx, nil, compressed); err != nil {
		return err
	}
	return answer(ctx, req, send)
}

// StreamingInputCall implements testingpb.TestServiceServer.
func (*TestService) StreamingInputCall(ctx context.Context, in iter.Seq2[*testingpb.StreamingInputCallRequest, error]) (*testingpb.StreamingInputCallResponse, error) {
	if err := echo(ctx); err != nil {
		return nil, err
	}
	var sum int32
	for req, err := range in {
		if err != nil {
			return nil, err
		}
		if err := expected(req.GetExpectCompressed()); err != nil {
			return nil, err
		}
		sum += int32(len(req.GetPayload().GetBody()))
	}
	return &testingpb.StreamingInputCallResponse{AggregatedPayloadSize: sum}, nil
}

// FullDuplexCall implements testingpb.TestServiceServer.
func (*TestService) FullDuplexCall(ctx context.Context, in iter.Seq2[*testingpb.StreamingOutputCallRequest, error], send func(*testingpb.StreamingOutputCallResponse) error) error {
	if err := echo(ctx); err != nil {
		return err
	}
	for req, err := range in {
		if err != nil {
			return err
		}
		if err := answer(ctx, req, send); err != nil {
			return err
		}
	}
	return nil
}

// HalfDuplexCall implements testingpb.TestServiceServer.
func (*TestService) HalfDuplexCall(ctx context.Context, in iter.Seq2[*testingpb.StreamingOutputCallRequest, error], send func(*testingpb.StreamingOutputCallResponse) error) error {
	if err := echo(ctx); err != nil {
		return err
	}
	var all []*testingpb.StreamingOutputCallRequest
	for req, err := range in {
		if err != nil {
			return err
		}
		all = append(all, req)
	}
	for _, req := range all {
		if err := answer(ctx, req, send); err != nil {
			return err
		}
	}
	return nil
}

// begin does what a request says of its call's compression, and echoes.
func (s *TestService) begin(ctx context.Context, expect, compress *testingpb.BoolValue) error {
	if err := expected(expect); err != nil {
		return err
	}
	if compress.GetValue() {
		if err := yodel.CallFrom(ctx).SetCompressor(&s.gzip); err != nil {
			return err
		}
	}
	return echo(ctx)
}

func expected(expect *testingpb.BoolValue) error {
	if expect == nil {
		return nil
	}
	return status.New(status.Unimplemented, "this server does not tell compressed requests from others")
}

// echo sends the metadata back that asks for it.
func echo(ctx context.Context) error {
	call := yodel.CallFrom(ctx)
	if v, ok := call.RequestHeader.Get(EchoTrailing); ok {
		if err := call.SetTrailer(metadata.MD{{Name: EchoTrailing, Value: v}}); err != nil {
			return err
		}
	}
	if v, ok := call.RequestHeader.Get(EchoInitial); ok {
		if err := call.SetHeader(metadata.MD{{Name: EchoInitial, Value: v}}); err != nil {
			return err
		}
		return call.SendHeader()
	}
	return nil
}

// asked returns the status that a request asks for.
func asked(s *testingpb.EchoStatus) error {
	return status.New(status.Code(s.GetCode()), s.GetMessage())
}

// answer sends what one request asks for.
func answer(ctx context.Context, req *testingpb.StreamingOutputCallRequest, send func(*testingpb.StreamingOutputCallResponse) error) error {
	if err := asked(req.GetResponseStatus()); err != nil {
		return err
	}
	for _, p := range req.GetResponseParameters() {
		if err := pause(ctx, time.Duration(p.GetIntervalUs())*time.Microsecond); err != nil {
			return err
		}
		payload, err := newPayload(req.GetResponseType(), p.GetSize())
		if err != nil {
			return err
		}
		if err := send(&testingpb.StreamingOutputCallResponse{Payload: payload}); err != nil {
			return err
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// maxPayload bounds what a request can ask for.
const maxPayload = 64 << 20

func newPayload(kind testingpb.PayloadType, size int32) (*testingpb.Payload, error) {
	if size < 0 || size > maxPayload {
		return nil, status.Errorf(status.InvalidArgument, "a payload of %d bytes: want 0 to %d", size, maxPayload)
	}
	if kind != testingpb.PayloadType_COMPRESSABLE {
		return nil, status.Errorf(status.InvalidArgument, "the payload type %v is not known", kind)
	}
	return &testingpb.Payload{Type: kind, Body: make([]byte, size)}, nil
}
