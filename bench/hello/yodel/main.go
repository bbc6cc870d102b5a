// Command yodel is the least client of Yodel with TLS, to weigh.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/bench/hello/message"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var greet = &yodel.Method{Service: message.Service, Name: message.Name, Kind: yodel.UnaryKind}

func run() error {
	channel, err := yodel.NewChannel(os.Args[1], yodel.ChannelConfig{})
	if err != nil {
		return err
	}
	defer channel.Close()
	resp := message.New("")
	if err := yodel.CallUnary(context.Background(), channel, greet, message.New("hello"), resp); err != nil {
		return err
	}
	fmt.Println(resp.GetValue())
	return nil
}
