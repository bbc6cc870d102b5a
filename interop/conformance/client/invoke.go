package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/interop/conformance/compat"
	"github.com/yodelrpc/yodel/interop/conformance/conformancepb"
	"github.com/yodelrpc/yodel/metadata"
	"google.golang.org/protobuf/proto"
)

const conformanceService = "connectrpc.conformance.v1.ConformanceService"

// invocation is one call that the suite asks for.
type invocation struct {
	req     *conformancepb.ClientCompatRequest
	client  conformancepb.ConformanceServiceClient
	options []yodel.CallOption
	cancel  context.CancelFunc
	result  *conformancepb.ClientResponseResult
	// header and trailer are what came with the response.
	header, trailer metadata.MD
}

// invoke makes a call. An error says that the call could not be made as it was
// asked for; how it ended is in the result.
func invoke(ctx context.Context, channels *channels, req *conformancepb.ClientCompatRequest) (*conformancepb.ClientResponseResult, error) {
	if err := supported(req); err != nil {
		return nil, err
	}
	channel, err := channels.channel(req)
	if err != nil {
		return nil, err
	}
	if req.TimeoutMs != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, milliseconds(req.GetTimeoutMs()))
		defer cancel()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in := &invocation{
		req:    req,
		client: conformancepb.NewConformanceServiceClient(channel),
		cancel: cancel,
		result: new(conformancepb.ClientResponseResult),
	}
	in.options = in.callOptions()
	if err := in.run(ctx); err != nil {
		return nil, err
	}
	in.result.ResponseHeaders = compat.Headers(in.header)
	in.result.ResponseTrailers = compat.Headers(in.trailer)
	return in.result, nil
}

// supported refuses what the configuration of the suite keeps out.
func supported(req *conformancepb.ClientCompatRequest) error {
	switch {
	case req.GetProtocol() != conformancepb.Protocol_PROTOCOL_GRPC || req.GetHttpVersion() != conformancepb.HTTPVersion_HTTP_VERSION_2:
		return fmt.Errorf("it cannot call %v over %v", req.GetProtocol(), req.GetHttpVersion())
	case req.GetService() != conformanceService:
		return fmt.Errorf("it does not know the service %q", req.GetService())
	case req.GetRawRequest() != nil:
		return errors.New("it cannot send raw requests")
	}
	return nil
}

func (in *invocation) callOptions() []yodel.CallOption {
	options := []yodel.CallOption{
		yodel.ReceiveHeader(&in.header),
		yodel.ReceiveTrailer(&in.trailer),
		yodel.MaxReceiveBytes(int(in.req.GetMessageReceiveLimit())),
	}
	for name, value := range compat.Metadata(in.req.GetRequestHeaders()).All() {
		options = append(options, yodel.Header(name, value))
	}
	if in.req.GetCodec() == conformancepb.Codec_CODEC_JSON {
		options = append(options, yodel.Codec(encoding.JSON{}))
	}
	if in.req.GetCompression() == conformancepb.Compression_COMPRESSION_GZIP {
		options = append(options, yodel.Compress(&encoding.Gzip{}))
	}
	return options
}

func (in *invocation) run(ctx context.Context) error {
	switch in.req.GetMethod() {
	case "Unary":
		return unary(ctx, in, in.client.Unary)
	case "IdempotentUnary":
		return unary(ctx, in, in.client.IdempotentUnary)
	case "Unimplemented":
		return unary(ctx, in, in.client.Unimplemented)
	case "ServerStream":
		return in.serverStream(ctx)
	case "ClientStream":
		return in.clientStream(ctx)
	case "BidiStream":
		return in.bidiStream(ctx)
	}
	return fmt.Errorf("it does not know the method %q", in.req.GetMethod())
}

// unary makes a call of one of the methods with one message each way.
func unary[Req, Resp proto.Message](ctx context.Context, in *invocation, method func(context.Context, Req, ...yodel.CallOption) (Resp, error)) error {
	req, err := only[Req](in.req)
	if err != nil {
		return err
	}
	in.cancelAfterCloseSend()
	resp, err := method(ctx, req, in.options...)
	if err != nil {
		in.result.Error = compat.Error(err)
		return nil
	}
	if answer, ok := any(resp).(interface {
		GetPayload() *conformancepb.ConformancePayload
	}); ok {
		in.result.Payloads = append(in.result.Payloads, answer.GetPayload())
	}
	return nil
}

func (in *invocation) serverStream(ctx context.Context) error {
	req, err := only[*conformancepb.ServerStreamRequest](in.req)
	if err != nil {
		return err
	}
	in.cancelAfterCloseSend()
	for resp, err := range in.client.ServerStream(ctx, req, in.options...) {
		in.received(resp.GetPayload(), err)
	}
	return nil
}

func (in *invocation) clientStream(ctx context.Context) error {
	reqs, err := unpack[*conformancepb.ClientStreamRequest](in.req)
	if err != nil {
		return err
	}
	stream, err := in.client.ClientStream(ctx, in.options...)
	if err != nil {
		in.notSent(len(reqs), err)
		return nil
	}
	defer stream.Close()
	for i, req := range reqs {
		in.pause(ctx)
		if err := stream.Send(req); err != nil {
			// CloseAndReceive has the status, or the answer.
			in.result.NumUnsentRequests = int32(len(reqs) - i)
			break
		}
	}
	if in.req.GetCancel().GetBeforeCloseSend() != nil {
		in.cancel()
	} else {
		in.cancelAfterCloseSend()
	}
	resp, err := stream.CloseAndReceive()
	in.received(resp.GetPayload(), err)
	return nil
}

func (in *invocation) bidiStream(ctx context.Context) error {
	reqs, err := unpack[*conformancepb.BidiStreamRequest](in.req)
	if err != nil {
		return err
	}
	stream, err := in.client.BidiStream(ctx, in.options...)
	if err != nil {
		in.notSent(len(reqs), err)
		return nil
	}
	defer stream.Close()
	fullDuplex := in.req.GetStreamType() == conformancepb.StreamType_STREAM_TYPE_FULL_DUPLEX_BIDI_STREAM
	for i, req := range reqs {
		in.pause(ctx)
		if err := stream.Send(req); err != nil {
			// Receive has the status, after the responses.
			in.result.NumUnsentRequests = int32(len(reqs) - i)
			break
		}
		if !fullDuplex {
			continue
		}
		resp, err := stream.Receive()
		if in.received(resp.GetPayload(), err); err != nil {
			in.result.NumUnsentRequests = int32(len(reqs) - i - 1)
			return nil
		}
	}
	if in.req.GetCancel().GetBeforeCloseSend() != nil {
		in.cancel()
	} else {
		// An error is the call's end, and Receive has that, too.
		_ = stream.CloseSend()
		in.cancelAfterCloseSend()
	}
	for {
		resp, err := stream.Receive()
		if in.received(resp.GetPayload(), err); err != nil {
			return nil
		}
	}
}

// received notes what a call has received, and cancels it if that is enough.
func (in *invocation) received(payload *conformancepb.ConformancePayload, err error) {
	if err != nil {
		if !errors.Is(err, io.EOF) {
			in.result.Error = compat.Error(err)
		}
		return
	}
	in.result.Payloads = append(in.result.Payloads, payload)
	if uint32(len(in.result.GetPayloads())) == in.req.GetCancel().GetAfterNumResponses() {
		in.cancel()
	}
}

// notSent notes that a stream could not be started.
func (in *invocation) notSent(requests int, err error) {
	in.result.NumUnsentRequests = int32(requests)
	in.result.Error = compat.Error(err)
}

// cancelAfterCloseSend arranges for the call to be cancelled, if it is to be
// when all requests are sent. That is also meant where the suite does not say
// when.
func (in *invocation) cancelAfterCloseSend() {
	cancel := in.req.GetCancel()
	if cancel == nil || cancel.GetBeforeCloseSend() != nil || cancel.GetAfterNumResponses() > 0 {
		return
	}
	time.AfterFunc(milliseconds(cancel.GetAfterCloseSendMs()), in.cancel)
}

// pause waits before a request, unless the call ends first.
func (in *invocation) pause(ctx context.Context) {
	if in.req.GetRequestDelayMs() == 0 {
		return
	}
	timer := time.NewTimer(milliseconds(in.req.GetRequestDelayMs()))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func milliseconds(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }

// only returns the one message that a method without a stream of requests takes.
func only[T proto.Message](req *conformancepb.ClientCompatRequest) (T, error) {
	var none T
	messages, err := unpack[T](req)
	if err != nil {
		return none, err
	}
	if len(messages) != 1 {
		return none, fmt.Errorf("%s takes one message, not %d", req.GetMethod(), len(messages))
	}
	return messages[0], nil
}

// unpack returns all request messages.
func unpack[T proto.Message](req *conformancepb.ClientCompatRequest) ([]T, error) {
	messages := make([]T, 0, len(req.GetRequestMessages()))
	for _, packed := range req.GetRequestMessages() {
		message, err := packed.UnmarshalNew()
		if err != nil {
			return nil, err
		}
		typed, ok := message.(T)
		if !ok {
			return nil, fmt.Errorf("%s takes %T, not %T", req.GetMethod(), *new(T), message)
		}
		messages = append(messages, typed)
	}
	return messages, nil
}
