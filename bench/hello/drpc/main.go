// Command drpc is the least client of drpc with TLS, to weigh.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"
	"storj.io/drpc"
	"storj.io/drpc/drpcconn"

	"github.com/yodelrpc/yodel/bench/hello/message"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var dialer tls.Dialer
	raw, err := dialer.DialContext(context.Background(), "tcp", os.Args[1])
	if err != nil {
		return err
	}
	conn := drpcconn.New(raw)
	defer conn.Close()
	resp := message.New("")
	if err := conn.Invoke(context.Background(), message.Path, encoding{}, message.New("hello"), resp); err != nil {
		return err
	}
	fmt.Println(resp.GetValue())
	return nil
}

type encoding struct{}

var errMessage = errors.New("this is no protobuf message")

// Marshal implements drpc.Encoding.
func (encoding) Marshal(msg drpc.Message) ([]byte, error) {
	if m, ok := msg.(proto.Message); ok {
		return proto.Marshal(m)
	}
	return nil, errMessage
}

// Unmarshal implements drpc.Encoding.
func (encoding) Unmarshal(buf []byte, msg drpc.Message) error {
	if m, ok := msg.(proto.Message); ok {
		return proto.Unmarshal(buf, m)
	}
	return errMessage
}
