package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/interop/grpc/service"
	"github.com/yodelrpc/yodel/interop/grpc/testingpb"
	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
)

// cases are those of gRPC's interoperation test descriptions that need nothing
// but a test server.
var cases = map[string]func(context.Context, *client) error{
	"empty_unary":                 emptyUnary,
	"large_unary":                 largeUnary,
	"client_streaming":            clientStreaming,
	"server_streaming":            serverStreaming,
	"ping_pong":                   pingPong,
	"empty_stream":                emptyStream,
	"timeout_on_sleeping_server":  timeoutOnSleepingServer,
	"cancel_after_begin":          cancelAfterBegin,
	"cancel_after_first_response": cancelAfterFirstResponse,
	"status_code_and_message":     statusCodeAndMessage,
	"special_status_message":      specialStatusMessage,
	"custom_metadata":             customMetadata,
	"unimplemented_method":        unimplementedMethod,
	"unimplemented_service":       unimplementedService,
	"rpc_soak":                    rpcSoak,
	"channel_soak":                channelSoak,
}

// The sizes that the descriptions name, in bytes.
const (
	largeRequest  = 271828
	largeResponse = 314159
)

var (
	requestSizes  = []int{27182, 8, 1828, 45904}
	responseSizes = []int32{31415, 9, 2653, 58979}
)

func payload(n int) *testingpb.Payload { return &testingpb.Payload{Body: make([]byte, n)} }

// zeros checks a payload's size and content.
func zeros(p *testingpb.Payload, size int) error {
	body := p.GetBody()
	if p.GetType() != testingpb.PayloadType_COMPRESSABLE || len(body) != size || strings.Trim(string(body), "\x00") != "" {
		return fmt.Errorf("a payload of type %v and %d bytes, want %d zeros", p.GetType(), len(body), size)
	}
	return nil
}

func emptyUnary(ctx context.Context, c *client) error {
	_, err := c.EmptyCall(ctx, new(testingpb.Empty))
	return err
}

func largeUnary(ctx context.Context, c *client) error {
	return exchange(ctx, c, largeRequest, largeResponse)
}

// exchange makes a unary call with a request and a response of the given sizes.
func exchange(ctx context.Context, c testingpb.TestServiceClient, request, response int) error {
	resp, err := c.UnaryCall(ctx, &testingpb.SimpleRequest{ResponseSize: int32(response), Payload: payload(request)})
	if err != nil {
		return err
	}
	return zeros(resp.GetPayload(), response)
}

func clientStreaming(ctx context.Context, c *client) error {
	stream, err := c.StreamingInputCall(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	sum := 0
	for _, n := range requestSizes {
		if err := stream.Send(&testingpb.StreamingInputCallRequest{Payload: payload(n)}); err != nil {
			return err
		}
		sum += n
	}
	resp, err := stream.CloseAndReceive()
	if err == nil && int(resp.GetAggregatedPayloadSize()) != sum {
		err = fmt.Errorf("the sum is %d, want %d", resp.GetAggregatedPayloadSize(), sum)
	}
	return err
}

func serverStreaming(ctx context.Context, c *client) error {
	req := new(testingpb.StreamingOutputCallRequest)
	for _, n := range responseSizes {
		req.ResponseParameters = append(req.ResponseParameters, &testingpb.ResponseParameters{Size: n})
	}
	received := 0
	for resp, err := range c.StreamingOutputCall(ctx, req) {
		if err != nil {
			return err
		}
		if received == len(responseSizes) {
			return errors.New("there are too many responses")
		}
		if err := zeros(resp.GetPayload(), int(responseSizes[received])); err != nil {
			return err
		}
		received++
	}
	if received != len(responseSizes) {
		return fmt.Errorf("%d responses, want %d", received, len(responseSizes))
	}
	return nil
}

type chat = yodel.BidiStream[*testingpb.StreamingOutputCallRequest, *testingpb.StreamingOutputCallResponse]

// play sends one request and receives its response.
func play(stream *chat, request int, response int32) error {
	err := stream.Send(&testingpb.StreamingOutputCallRequest{
		ResponseParameters: []*testingpb.ResponseParameters{{Size: response}}, Payload: payload(request),
	})
	if err != nil {
		return err
	}
	resp, err := stream.Receive()
	if err != nil {
		return err
	}
	return zeros(resp.GetPayload(), int(response))
}

// ends checks that a stream ends well, with no more responses.
func ends(stream *chat) error {
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if _, err := stream.Receive(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("the stream ends with %w, want io.EOF", err)
	}
	return nil
}

func pingPong(ctx context.Context, c *client) error {
	stream, err := c.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	for i := range requestSizes {
		if err := play(stream, requestSizes[i], responseSizes[i]); err != nil {
			return err
		}
	}
	return ends(stream)
}

func emptyStream(ctx context.Context, c *client) error {
	stream, err := c.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	return ends(stream)
}

// wantCode is nil if err has the code, and the text unless that is empty.
func wantCode(err error, code status.Code, text string) error {
	var e *status.Error
	if status.CodeOf(err) != code || text != "" && (!errors.As(err, &e) || e.Message() != text) {
		return fmt.Errorf("the call ends with %w, want %s with the text %q", orNone(err), code.String(), text)
	}
	return nil
}

func orNone(err error) error {
	if err == nil {
		return status.OK
	}
	return err
}

func timeoutOnSleepingServer(ctx context.Context, c *client) error {
	ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	stream, err := c.FullDuplexCall(ctx)
	if err != nil {
		return wantCode(err, status.DeadlineExceeded, "")
	}
	defer stream.Close()
	if err := stream.Send(&testingpb.StreamingOutputCallRequest{Payload: payload(27182)}); err != nil && !errors.Is(err, io.EOF) {
		return wantCode(err, status.DeadlineExceeded, "")
	}
	_, err = stream.Receive()
	return wantCode(err, status.DeadlineExceeded, "")
}

func cancelAfterBegin(ctx context.Context, c *client) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.StreamingInputCall(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	cancel()
	_, err = stream.CloseAndReceive()
	return wantCode(err, status.Canceled, "")
}

func cancelAfterFirstResponse(ctx context.Context, c *client) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	if err := play(stream, 27182, 31415); err != nil {
		return err
	}
	cancel()
	_, err = stream.Receive()
	return wantCode(err, status.Canceled, "")
}

func statusCodeAndMessage(ctx context.Context, c *client) error {
	const text = "test status message"
	want := &testingpb.EchoStatus{Code: int32(status.Unknown), Message: text}
	_, err := c.UnaryCall(ctx, &testingpb.SimpleRequest{ResponseStatus: want})
	if err := wantCode(err, status.Unknown, text); err != nil {
		return fmt.Errorf("UnaryCall: %w", err)
	}
	stream, err := c.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	if err := stream.Send(&testingpb.StreamingOutputCallRequest{ResponseStatus: want}); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	_, err = stream.Receive()
	return wantCode(err, status.Unknown, text)
}

func specialStatusMessage(ctx context.Context, c *client) error {
	const text = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
	_, err := c.UnaryCall(ctx, &testingpb.SimpleRequest{
		ResponseStatus: &testingpb.EchoStatus{Code: int32(status.Unknown), Message: text},
	})
	return wantCode(err, status.Unknown, text)
}

const (
	initialValue  = "test_initial_metadata_value"
	trailingValue = "\xab\xab\xab"
)

// echoed checks that both fields came back, once each.
func echoed(header, trailer metadata.MD) error {
	for _, c := range []struct {
		md          metadata.MD
		name, value string
	}{{header, service.EchoInitial, initialValue}, {trailer, service.EchoTrailing, trailingValue}} {
		n := 0
		for v := range c.md.Values(c.name) {
			if n++; v != c.value {
				return fmt.Errorf("%s is %q, want %q", c.name, v, c.value)
			}
		}
		if n != 1 {
			return fmt.Errorf("%s came %d times, want once", c.name, n)
		}
	}
	return nil
}

func customMetadata(ctx context.Context, c *client) error {
	var header, trailer metadata.MD
	options := []yodel.CallOption{yodel.Header(service.EchoInitial, initialValue), yodel.Header(service.EchoTrailing, trailingValue)}
	_, err := c.UnaryCall(ctx, &testingpb.SimpleRequest{ResponseSize: 1, Payload: payload(1)},
		append(options, yodel.ReceiveHeader(&header), yodel.ReceiveTrailer(&trailer))...)
	if err != nil {
		return err
	}
	if err := echoed(header, trailer); err != nil {
		return fmt.Errorf("UnaryCall: %w", err)
	}
	stream, err := c.FullDuplexCall(ctx, options...)
	if err != nil {
		return err
	}
	defer stream.Close()
	if err := play(stream, 1, 1); err != nil {
		return err
	}
	if err := ends(stream); err != nil {
		return err
	}
	if header, err = stream.Header(); err != nil {
		return err
	}
	return echoed(header, stream.Trailer())
}

func unimplementedMethod(ctx context.Context, c *client) error {
	_, err := testingpb.NewTestServiceMissingClient(c.channel).UnimplementedCall(ctx, new(testingpb.Empty))
	return wantCode(err, status.Unimplemented, "")
}

func unimplementedService(ctx context.Context, c *client) error {
	_, err := testingpb.NewUnimplementedServiceClient(c.channel).UnimplementedCall(ctx, new(testingpb.Empty))
	return wantCode(err, status.Unimplemented, "")
}
