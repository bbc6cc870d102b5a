package grpcgo_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	grpcmetadata "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/yodelrpc/yodel/compat/grpcgo"
)

// What Header, Trailer and Peer point to is the caller's again when RecvMsg has
// returned the end, also where the call's context has ended at the same time:
// the race detector sees it where it is not.
func TestOptionsAreFilledBeforeTheEnd(t *testing.T) {
	client := testgrpc.NewTestServiceClient(grpcgo.NewClientConn(local(t, &service{}), grpcgo.ClientConfig{}))
	for range 300 {
		var header, trailer grpcmetadata.MD
		var from peer.Peer
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := client.FullDuplexCall(ctx, grpc.Header(&header), grpc.Trailer(&trailer), grpc.Peer(&from))
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		_, err = stream.Recv()
		wantCode(t, err, codes.Canceled)
		header, trailer, from = nil, nil, peer.Peer{}
	}
}
