package grpcgo_test

import (
	"math"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	grpcencoding "google.golang.org/grpc/encoding"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/compat/grpcgo"
	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/yodeltest"
)

// The largest limit is none: what a registered compressor brings out is whole.
func TestLargestLimit(t *testing.T) {
	var used atomic.Int32
	grpcencoding.RegisterCompressor(deflate{&used})
	bridged, _ := grpcgo.Compressor("yodel-deflate")
	client := testgrpc.NewTestServiceClient(grpcgo.NewClientConn(local(t, &service{}, yodeltest.Config{
		Server:  yodel.ServerConfig{Compressors: []encoding.Compressor{bridged}, Compressor: bridged, MaxReceiveBytes: math.MaxInt},
		Channel: yodel.ChannelConfig{Compressors: []encoding.Compressor{bridged}},
	}), grpcgo.ClientConfig{}))
	resp, err := client.UnaryCall(deadline(t), &testgrpc.SimpleRequest{Payload: payload(1000)},
		grpc.UseCompressor("yodel-deflate"), grpc.MaxCallRecvMsgSize(math.MaxInt), grpc.MaxCallSendMsgSize(math.MaxInt))
	if n := len(resp.GetPayload().GetBody()); err != nil || n != 1000 {
		t.Errorf("1000 bytes came back as %d, %v", n, err)
	}
}
