package grpcgo

import (
	"context"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	grpccredentials "google.golang.org/grpc/credentials"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/yodelrpc/yodel/metadata"
)

// token returns the metadata that the call's credentials add: first the
// connection's, then the call's own. The error is a status.
//
// The values are marked as sensitive, so that they stay out of header
// compression.
func (c *ClientConn) token(ctx context.Context, method string, s *settings) (metadata.MD, error) {
	all := c.cfg.PerRPCCredentials
	if s.credentials != nil {
		all = append(slices.Clone(all), s.credentials)
	}
	if len(all) == 0 {
		return nil, nil
	}
	ctx = grpccredentials.NewContextWithRequestInfo(ctx, grpccredentials.RequestInfo{Method: method, AuthInfo: c.security()})
	var md metadata.MD
	for _, source := range all {
		if source.RequireTransportSecurity() && !c.secure() {
			return nil, grpcstatus.Error(codes.Unauthenticated,
				"grpcgo: per-call credentials that need a secure connection cannot be sent on a plaintext channel")
		}
		values, err := source.GetRequestMetadata(ctx, c.audience(method))
		if err != nil {
			return nil, noToken(err)
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			md.Add(name, values[name])
			md[len(md)-1].Sensitive = true
		}
	}
	return md, nil
}

func (c *ClientConn) secure() bool { return c.channel.Scheme() == "https" }

// security is what credentials are told of the connection. Which one will carry
// the call is not known yet, so a TLSInfo has no State.
func (c *ClientConn) security() grpccredentials.AuthInfo {
	if !c.secure() {
		return plaintext
	}
	return grpccredentials.TLSInfo{
		CommonAuthInfo: grpccredentials.CommonAuthInfo{SecurityLevel: grpccredentials.PrivacyAndIntegrity},
	}
}

// audience is the URI of the method's service, which tokens are made for.
func (c *ClientConn) audience(method string) string {
	service := method
	if i := strings.LastIndexByte(method, '/'); i >= 0 {
		service = method[:i]
	}
	return "https://" + strings.TrimSuffix(c.channel.Authority(), ":443") + service
}

// noToken is the status of a call whose credentials failed. They may choose the
// code, but not one that would look like the server's verdict (gRFC A54).
func noToken(err error) error {
	s, ok := grpcstatus.FromError(err)
	if !ok {
		return grpcstatus.Error(codes.Internal, "grpcgo: the per-call credentials failed: "+err.Error())
	}
	switch s.Code() {
	case codes.OK, codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.FailedPrecondition,
		codes.Aborted, codes.OutOfRange, codes.DataLoss:
		return grpcstatus.Error(codes.Internal, "grpcgo: the per-call credentials failed with a status that is not theirs to give: "+err.Error())
	}
	return err
}
