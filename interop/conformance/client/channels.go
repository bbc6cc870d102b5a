package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/interop/conformance/conformancepb"
	"github.com/yodelrpc/yodel/transport"
)

// channels has one channel for each server of the suite, so that the calls share
// connections. The zero value is ready to use.
type channels struct {
	mu       sync.Mutex
	byServer map[server]*yodel.Channel
}

// server is what tells a channel from another one.
type server struct {
	addr, serverCert, clientCert, clientKey string
}

// channel returns the channel to the server that a request is for.
func (c *channels) channel(req *conformancepb.ClientCompatRequest) (*yodel.Channel, error) {
	to := server{
		addr:       net.JoinHostPort(req.GetHost(), strconv.FormatUint(uint64(req.GetPort()), 10)),
		serverCert: string(req.GetServerTlsCert()),
		clientCert: string(req.GetClientTlsCreds().GetCert()),
		clientKey:  string(req.GetClientTlsCreds().GetKey()),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if channel := c.byServer[to]; channel != nil {
		return channel, nil
	}
	security, err := to.handshaker()
	if err != nil {
		return nil, err
	}
	channel, err := yodel.NewChannel(to.addr, yodel.ChannelConfig{Credentials: security})
	if err != nil {
		return nil, err
	}
	if c.byServer == nil {
		c.byServer = make(map[server]*yodel.Channel)
	}
	c.byServer[to] = channel
	return channel, nil
}

// handshaker returns the security of connections to the server.
func (s server) handshaker() (transport.Handshaker, error) {
	if s.serverCert == "" {
		return credentials.Insecure(), nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM([]byte(s.serverCert)) {
		return nil, errors.New("the server's certificate is not one in PEM")
	}
	if s.clientCert != "" {
		certificate, err := tls.X509KeyPair([]byte(s.clientCert), []byte(s.clientKey))
		if err != nil {
			return nil, fmt.Errorf("the client's certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return credentials.TLS(config), nil
}

// close closes all channels.
func (c *channels) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, channel := range c.byServer {
		if err := channel.Close(); err != nil {
			continue
		}
	}
}
