// Package yodeltest gives tests a client and a server that are wired together
// inside the process: the semantics of the network without one, also in
// testing/synctest bubbles.
package yodeltest

import (
	"context"
	"errors"
	"testing"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/transport/inproc"
)

// Config changes what New makes. The zero value is what most tests want.
type Config struct {
	// Channel and Server configure the two sides. Their credentials, and the
	// Channel's Dialer, are not used.
	Channel yodel.ChannelConfig
	Server  yodel.ServerConfig
	// Transport configures what connects them.
	Transport inproc.Config
}

// New serves what register registers, and returns a channel to it. Both end
// with the test, which fails if the server had calls left.
//
//	channel := yodeltest.New(t, func(s *yodel.Server) { apipb.RegisterApi(s, impl) })
//	client := apipb.NewApiClient(channel)
func New(t testing.TB, register func(*yodel.Server), cfg ...Config) *yodel.Channel {
	t.Helper()
	channel, _ := NewPair(t, register, cfg...)
	return channel
}

// NewPair is New for tests that need the server too.
func NewPair(t testing.TB, register func(*yodel.Server), cfg ...Config) (*yodel.Channel, *yodel.Server) {
	t.Helper()
	var c Config
	switch len(cfg) {
	case 0:
	case 1:
		c = cfg[0]
	default:
		t.Fatal("yodeltest: there is one Config at most")
	}
	server := yodel.NewServer(c.Server)
	register(server)
	lis := inproc.NewListener(c.Transport)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- server.ServeTransport(ctx, lis) }()

	c.Channel.Dialer = lis
	channel, err := yodel.NewChannel("inproc:1", c.Channel)
	if err != nil {
		stop()
		t.Fatal("yodeltest:", errors.Join(err, <-served))
	}
	t.Cleanup(func() {
		_ = channel.Close()
		stop()
		if err := <-served; err != nil {
			t.Error("yodeltest:", err)
		}
	})
	return channel, server
}
