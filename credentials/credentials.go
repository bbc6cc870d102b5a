// Package credentials secures connections: [TLS], [Files] for TLS whose
// certificates are files that may change, and [Insecure] for none.
//
// All of them end their handshake when its context ends; the channel or the
// server gives it ten seconds.
package credentials

import (
	"context"
	"net"

	"github.com/yodelrpc/yodel/transport"
)

// Insecure returns credentials for connections that are neither encrypted nor
// authenticated: for one machine, for tests, and behind a proxy that does
// both.
func Insecure() transport.Handshaker { return insecure{} }

// InsecureInfo is what Insecure establishes: nothing.
type InsecureInfo struct{}

// SecurityProtocol returns "insecure".
func (InsecureInfo) SecurityProtocol() string { return "insecure" }

type insecure struct{}

var (
	_ transport.Handshaker = insecure{}
	_ transport.AuthInfo   = InsecureInfo{}
)

func (insecure) ClientHandshake(_ context.Context, raw net.Conn, _ string) (net.Conn, transport.AuthInfo, error) {
	return raw, InsecureInfo{}, nil
}

func (insecure) ServerHandshake(_ context.Context, raw net.Conn) (net.Conn, transport.AuthInfo, error) {
	return raw, InsecureInfo{}, nil
}

func (insecure) Scheme() string { return "http" }
