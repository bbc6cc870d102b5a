// Command standard links crypto/tls, log/slog, compress/gzip and protobuf and
// nothing else: what a client of any RPC has that offers what they do.
package main

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"os"

	"google.golang.org/protobuf/proto"

	"github.com/yodelrpc/yodel/bench/hello/message"
)

func main() {
	if err := run(); err != nil {
		slog.New(slog.NewTextHandler(os.Stderr, nil)).Error("the call failed", "error", err)
		os.Exit(1)
	}
}

func run() error {
	var dialer tls.Dialer
	conn, err := dialer.DialContext(context.Background(), "tcp", os.Args[1])
	if err != nil {
		return err
	}
	defer conn.Close()
	body, err := proto.Marshal(message.New("hello"))
	if err != nil {
		return err
	}
	packed := gzip.NewWriter(conn)
	if _, err := packed.Write(body); err != nil {
		return err
	}
	if err := packed.Close(); err != nil {
		return err
	}
	unpacked, err := gzip.NewReader(conn)
	if err != nil {
		return err
	}
	if body, err = io.ReadAll(unpacked); err != nil {
		return err
	}
	resp := message.New("")
	if err := proto.Unmarshal(body, resp); err != nil {
		return err
	}
	fmt.Println(resp.GetValue())
	return nil
}
