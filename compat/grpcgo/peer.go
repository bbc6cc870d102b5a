package grpcgo

import (
	"crypto/tls"
	"net/url"

	grpccredentials "google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/transport"
)

// newPeer returns what grpc-go knows of a connection.
func newPeer(info *transport.ConnInfo) *peer.Peer {
	if info == nil {
		return new(peer.Peer)
	}
	return &peer.Peer{Addr: info.Remote, LocalAddr: info.Local, AuthInfo: newAuthInfo(info.Auth)}
}

func newAuthInfo(auth transport.AuthInfo) grpccredentials.AuthInfo {
	switch a := auth.(type) {
	case nil:
		return nil
	case credentials.TLSInfo:
		return grpccredentials.TLSInfo{
			State:          a.State,
			CommonAuthInfo: grpccredentials.CommonAuthInfo{SecurityLevel: grpccredentials.PrivacyAndIntegrity},
			SPIFFEID:       spiffeID(a.State),
		}
	case credentials.InsecureInfo:
		return plaintext
	default:
		return AuthInfo{Info: a}
	}
}

// AuthInfo is the security of a peer's connection where it is neither TLS,
// which shows as grpc-go's credentials.TLSInfo, nor a type of grpc-go.
type AuthInfo struct {
	grpccredentials.CommonAuthInfo
	// Info is what the connection's handshake established; nil is nothing.
	Info transport.AuthInfo
}

// AuthType returns the name of the security protocol.
func (a AuthInfo) AuthType() string {
	if a.Info == nil {
		return "insecure"
	}
	return a.Info.SecurityProtocol()
}

var plaintext = AuthInfo{
	CommonAuthInfo: grpccredentials.CommonAuthInfo{SecurityLevel: grpccredentials.NoSecurity},
	Info:           credentials.InsecureInfo{},
}

// spiffeID returns the one URI of the peer's certificate if it is a SPIFFE ID
// (SPIFFE's X.509-SVID document, section 2: exactly one URI).
func spiffeID(state tls.ConnectionState) *url.URL {
	if len(state.PeerCertificates) == 0 || len(state.PeerCertificates[0].URIs) != 1 {
		return nil
	}
	id := state.PeerCertificates[0].URIs[0]
	const longestID, longestDomain = 2048, 255
	switch {
	case id.Scheme != "spiffe", id.Opaque != "", id.User != nil, id.Host == "", id.Path == "":
		return nil
	case len(id.Host) > longestDomain, len(id.String()) > longestID:
		return nil
	}
	return id
}
