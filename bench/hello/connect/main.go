// Command connect is the least client of connect-go with TLS, to weigh.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/yodelrpc/yodel/bench/hello/message"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	client := connect.NewClient(connecthttp.NewTransport(http.DefaultClient, "https://"+os.Args[1], connecthttp.WithGRPC()))
	resp := message.New("")
	if err := client.CallUnary(context.Background(), connect.Spec{Procedure: message.Path}, message.New("hello"), resp); err != nil {
		return err
	}
	fmt.Println(resp.GetValue())
	return nil
}
