// Command server is gRPC's interoperation test server on Yodel's own stubs.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/interop/grpc/endpoint"
	"github.com/yodelrpc/yodel/interop/grpc/service"
	"github.com/yodelrpc/yodel/interop/grpc/testingpb"
)

func main() {
	var e endpoint.Server
	e.AddFlags(flag.CommandLine)
	flag.Parse()
	err := e.Serve(func(s *yodel.Server) { testingpb.RegisterTestService(s, new(service.TestService)) })
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
