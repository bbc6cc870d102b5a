package hello_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/examples/hello/apipb"
)

// greeter implements the service Api.
type greeter struct{}

func (greeter) ApiEndpoint(_ context.Context, req *apipb.ApiRequest) (*apipb.ApiResponse, error) {
	return &apipb.ApiResponse{Resp: "Hello " + req.GetUserName()}, nil
}

// The first Go snippet of the repository's README is the body of this example.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()

	// The server. When ctx ends it finishes the calls in flight.
	server := yodel.NewServer(yodel.ServerConfig{Credentials: credentials.Insecure()})
	apipb.RegisterApi(server, greeter{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go server.Serve(ctx, listener)

	// The client. It connects with the first call.
	channel, err := yodel.NewChannel(listener.Addr().String(), yodel.ChannelConfig{Credentials: credentials.Insecure()})
	if err != nil {
		log.Fatal(err)
	}
	defer channel.Close()
	response, err := apipb.NewApiClient(channel).ApiEndpoint(ctx, &apipb.ApiRequest{UserName: "Vikesh"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.GetResp())
	// Output: Hello Vikesh
}
