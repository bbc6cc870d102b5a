package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/examples/hello/apipb"
	"github.com/yodelrpc/yodel/interop/internal/peer"
)

const helloTimeout = 20 * time.Second

// pythonServerChecks lets our client check Python's server.
func (cfg config) pythonServerChecks(ctx context.Context, s peer.Security, r *peer.Report) (err error) {
	args := append([]string{cfg.script("echo_server.py"), "127.0.0.1:0"}, s.ServerArgs...)
	server, err := startChild(ctx, "listening on %d", cfg.python, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()

	group := "our client, Python's server, " + s.Name
	r.Add(group, "hello", checkHello(ctx, server.addr, s))
	python := peer.Program{Name: "Python", SeparateMetadata: true}
	return python.CheckListening(ctx, server.addr, group, s, r)
}

// checkHello calls the article's service, which the same server has.
func checkHello(ctx context.Context, addr string, s peer.Security) (err error) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	channel, err := yodel.NewChannel(addr, yodel.ChannelConfig{Credentials: s.Client})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, channel.Close()) }()
	resp, err := apipb.NewApiClient(channel).ApiEndpoint(ctx, &apipb.ApiRequest{UserName: "Vikesh"})
	if err != nil {
		return err
	}
	if got, want := resp.GetResp(), "Hello Vikesh"; got != want {
		return fmt.Errorf("resp: got %q, want %q", got, want)
	}
	return nil
}
