// Command grpcgo is the least client of grpc-go with TLS, to weigh.
package main

import (
	"context"
	"fmt"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/yodelrpc/yodel/bench/hello/message"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	cc, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(credentials.NewTLS(nil)))
	if err != nil {
		return err
	}
	defer cc.Close()
	resp := message.New("")
	if err := cc.Invoke(context.Background(), message.Path, message.New("hello"), resp); err != nil {
		return err
	}
	fmt.Println(resp.GetValue())
	return nil
}
