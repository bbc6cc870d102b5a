// Command nethttp is an HTTPS client with protobuf messages, to weigh.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"

	"google.golang.org/protobuf/proto"

	"github.com/yodelrpc/yodel/bench/hello/message"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	body, err := proto.Marshal(message.New("hello"))
	if err != nil {
		return err
	}
	url := "https://" + os.Args[1] + message.Path
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, bytes.NewReader(body)) //nolint:gosec // the user says which server
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(req) //nolint:gosec // as above
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if body, err = io.ReadAll(answer.Body); err != nil {
		return err
	}
	resp := message.New("")
	if err := proto.Unmarshal(body, resp); err != nil {
		return err
	}
	fmt.Println(resp.GetValue())
	return nil
}
