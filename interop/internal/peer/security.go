package peer

import (
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/interop/internal/testcert"
	"github.com/yodelrpc/yodel/transport"
)

// Security is one way to protect connections, for both ends.
type Security struct {
	// Name says which way it is.
	Name string
	// Server and Client are our credentials.
	Server, Client transport.Handshaker
	// ServerArgs and ClientArgs are what a peer's program is told.
	ServerArgs, ClientArgs []string
}

// Plain is no protection: HTTP/2 with prior knowledge.
func Plain() Security {
	return Security{Name: "h2c", Server: credentials.Insecure(), Client: credentials.Insecure()}
}

// TLS is a server with a certificate.
func TLS(certs testcert.Files) (Security, error) {
	server, err := credentials.Files(certs.ServerCert, certs.ServerKey, "")
	if err != nil {
		return Security{}, err
	}
	client, err := credentials.Files("", "", certs.CA)
	if err != nil {
		return Security{}, err
	}
	return Security{
		Name:   "TLS",
		Server: server, Client: client,
		ServerArgs: []string{certs.ServerCert, certs.ServerKey},
		ClientArgs: []string{certs.CA},
	}, nil
}
