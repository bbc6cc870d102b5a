package main

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/interop/conformance/compat"
	"github.com/yodelrpc/yodel/interop/conformance/conformancepb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// service implements the suite's service, as the comments of service.proto say.
type service struct {
	conformancepb.UnimplementedConformanceService
}

var _ conformancepb.ConformanceServiceServer = service{}

// Unary implements conformancepb.ConformanceServiceServer.
func (service) Unary(ctx context.Context, req *conformancepb.UnaryRequest) (*conformancepb.UnaryResponse, error) {
	seen, err := seenOf(ctx, req)
	if err != nil {
		return nil, err
	}
	payload, err := answer(ctx, req.GetResponseDefinition(), seen)
	if err != nil {
		return nil, err
	}
	return &conformancepb.UnaryResponse{Payload: payload}, nil
}

// ClientStream implements conformancepb.ConformanceServiceServer.
func (service) ClientStream(ctx context.Context, in iter.Seq2[*conformancepb.ClientStreamRequest, error]) (*conformancepb.ClientStreamResponse, error) {
	var definition *conformancepb.UnaryResponseDefinition
	var reqs []proto.Message
	for req, err := range in {
		if err != nil {
			return nil, err
		}
		if len(reqs) == 0 {
			definition = req.GetResponseDefinition()
		}
		reqs = append(reqs, req)
	}
	seen, err := seenOf(ctx, reqs...)
	if err != nil {
		return nil, err
	}
	payload, err := answer(ctx, definition, seen)
	if err != nil {
		return nil, err
	}
	return &conformancepb.ClientStreamResponse{Payload: payload}, nil
}

// ServerStream implements conformancepb.ConformanceServiceServer.
func (service) ServerStream(ctx context.Context, req *conformancepb.ServerStreamRequest, send func(*conformancepb.ServerStreamResponse) error) error {
	definition := req.GetResponseDefinition()
	if err := setMetadata(ctx, definition); err != nil {
		return err
	}
	if err := sendHeader(ctx, definition); err != nil {
		return err
	}
	seen, err := seenOf(ctx, req)
	if err != nil {
		return err
	}
	r := responses{definition: definition, send: func(payload *conformancepb.ConformancePayload) error {
		return send(&conformancepb.ServerStreamResponse{Payload: payload})
	}}
	return r.rest(ctx, seen)
}

// BidiStream implements conformancepb.ConformanceServiceServer.
func (service) BidiStream(ctx context.Context, in iter.Seq2[*conformancepb.BidiStreamRequest, error], send func(*conformancepb.BidiStreamResponse) error) error {
	r := responses{send: func(payload *conformancepb.ConformancePayload) error {
		return send(&conformancepb.BidiStreamResponse{Payload: payload})
	}}
	var unanswered []proto.Message
	first, fullDuplex := true, false
	for req, err := range in {
		if err != nil {
			return err
		}
		unanswered = append(unanswered, req)
		if first {
			first, fullDuplex, r.definition = false, req.GetFullDuplex(), req.GetResponseDefinition()
			if err := setMetadata(ctx, r.definition); err != nil {
				return err
			}
			if err := sendHeader(ctx, r.definition); err != nil {
				return err
			}
		}
		if !fullDuplex {
			continue
		}
		if r.done() {
			break
		}
		info, err := r.info(ctx, unanswered)
		if err != nil {
			return err
		}
		unanswered = nil
		if err := r.next(ctx, info); err != nil {
			return err
		}
	}
	seen, err := seenOf(ctx, unanswered...)
	if err != nil {
		return err
	}
	return r.rest(ctx, seen)
}

// responses are those that a stream's definition asks for.
type responses struct {
	definition *conformancepb.StreamResponseDefinition
	send       func(*conformancepb.ConformancePayload) error
	sent       int
}

func (r *responses) done() bool { return r.sent >= len(r.definition.GetResponseData()) }

// info describes requests beside a full-duplex response: only the first one has
// what does not change from one response to the next.
func (r *responses) info(ctx context.Context, reqs []proto.Message) (*conformancepb.ConformancePayload_RequestInfo, error) {
	if r.sent == 0 {
		return seenOf(ctx, reqs...)
	}
	packed, err := pack(reqs)
	return &conformancepb.ConformancePayload_RequestInfo{Requests: packed}, err
}

// next sends the next response.
func (r *responses) next(ctx context.Context, info *conformancepb.ConformancePayload_RequestInfo) error {
	if err := pause(ctx, r.definition.GetResponseDelayMs()); err != nil {
		return err
	}
	data := r.definition.GetResponseData()[r.sent]
	r.sent++
	return r.send(&conformancepb.ConformancePayload{Data: data, RequestInfo: info})
}

// rest sends the responses that are left, the very first one with seen, and
// returns the status; seen goes there if there was no response.
func (r *responses) rest(ctx context.Context, seen *conformancepb.ConformancePayload_RequestInfo) error {
	for !r.done() {
		var info *conformancepb.ConformancePayload_RequestInfo
		if r.sent == 0 {
			info = seen
		}
		if err := r.next(ctx, info); err != nil {
			return err
		}
	}
	failure := r.definition.GetError()
	switch {
	case failure == nil:
		return nil
	case r.sent == 0:
		return compat.Status(failure, seen)
	default:
		return compat.Status(failure)
	}
}

// answer returns what a definition of one response asks for.
func answer(ctx context.Context, definition *conformancepb.UnaryResponseDefinition, seen *conformancepb.ConformancePayload_RequestInfo) (*conformancepb.ConformancePayload, error) {
	if err := setMetadata(ctx, definition); err != nil {
		return nil, err
	}
	if err := pause(ctx, definition.GetResponseDelayMs()); err != nil {
		return nil, err
	}
	if failure := definition.GetError(); failure != nil {
		return nil, compat.Status(failure, seen)
	}
	return &conformancepb.ConformancePayload{Data: definition.GetResponseData(), RequestInfo: seen}, nil
}

// withMetadata is a definition of either type.
type withMetadata interface {
	GetResponseHeaders() []*conformancepb.Header
	GetResponseTrailers() []*conformancepb.Header
}

// setMetadata sets what a definition says of headers and trailers.
func setMetadata(ctx context.Context, definition withMetadata) error {
	call := yodel.CallFrom(ctx)
	return errors.Join(
		call.SetHeader(compat.Metadata(definition.GetResponseHeaders())),
		call.SetTrailer(compat.Metadata(definition.GetResponseTrailers())))
}

// sendHeader sends a stream's headers before its first response, if there is a
// definition.
func sendHeader(ctx context.Context, definition *conformancepb.StreamResponseDefinition) error {
	if definition == nil {
		return nil
	}
	return yodel.CallFrom(ctx).SendHeader()
}

// seenOf describes what came with a call.
func seenOf(ctx context.Context, reqs ...proto.Message) (*conformancepb.ConformancePayload_RequestInfo, error) {
	packed, err := pack(reqs)
	if err != nil {
		return nil, err
	}
	info := &conformancepb.ConformancePayload_RequestInfo{
		RequestHeaders: compat.Headers(yodel.CallFrom(ctx).RequestHeader),
		Requests:       packed,
	}
	if deadline, ok := ctx.Deadline(); ok {
		left := max(time.Until(deadline).Milliseconds(), 0)
		info.TimeoutMs = &left
	}
	return info, nil
}

func pack(messages []proto.Message) ([]*anypb.Any, error) {
	packed := make([]*anypb.Any, 0, len(messages))
	for _, message := range messages {
		value, err := anypb.New(message)
		if err != nil {
			return nil, err
		}
		packed = append(packed, value)
	}
	return packed, nil
}

// pause waits, unless the call ends first.
func pause(ctx context.Context, milliseconds uint32) error {
	if milliseconds == 0 {
		return nil
	}
	timer := time.NewTimer(time.Duration(milliseconds) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
