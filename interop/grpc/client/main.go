// Command client is gRPC's interoperation test client on Yodel's own stubs, with
// grpc-go's flags. It exits with status 0 if the case passes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/interop/grpc/endpoint"
	"github.com/yodelrpc/yodel/interop/grpc/testingpb"
)

// patience is how long a case may take; the soak cases have their own flag.
const patience = 30 * time.Second

func main() {
	var e endpoint.Client
	e.AddFlags(flag.CommandLine)
	flag.Parse()
	if err := run(e); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", e.Case, err)
		os.Exit(1)
	}
}

func run(e endpoint.Client) error {
	test := cases[e.Case]
	if test == nil {
		return errors.New("there is no such case")
	}
	channel, err := e.NewChannel()
	if err != nil {
		return err
	}
	defer channel.Close()
	limit := patience
	if isSoak(e.Case) {
		limit = time.Duration(e.Soak.OverallTimeoutSeconds) * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return test(ctx, &client{TestServiceClient: testingpb.NewTestServiceClient(channel), channel: channel, endpoint: e})
}

// client is what a case works with.
type client struct {
	testingpb.TestServiceClient
	channel  *yodel.Channel
	endpoint endpoint.Client
}
