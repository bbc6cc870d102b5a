// Package grpcgo runs code that protoc-gen-go-grpc generated on Yodel,
// unchanged: clients over a [yodel.Channel], services on a [yodel.Server]. Keep
// the stubs, change the channel.
//
// # Migration
//
// A client that said
//
//	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(creds))
//	client := pb.NewGreeterClient(conn)
//
// says
//
//	channel, err := yodel.NewChannel(target, yodel.ChannelConfig{Credentials: ...})
//	conn := grpcgo.NewClientConn(channel, grpcgo.ClientConfig{})
//	client := pb.NewGreeterClient(conn)
//
// and a server that said
//
//	s := grpc.NewServer(grpc.ChainUnaryInterceptor(logging, auth))
//	pb.RegisterGreeterServer(s, impl)
//	err = s.Serve(listener)
//
// says
//
//	s := yodel.NewServer(yodel.ServerConfig{Credentials: ...})
//	registrar := grpcgo.NewRegistrar(s, grpcgo.RegistrarConfig{
//		UnaryInterceptors: []grpc.UnaryServerInterceptor{logging, auth}})
//	pb.RegisterGreeterServer(registrar, impl)
//	err = s.Serve(ctx, listener)
//
// One service after another can then move to Yodel's own stubs: both kinds
// share the channel and the server. grpc-go's health and reflection services
// run too; [Registrar] says how. Code that insists on a *grpc.ClientConn gets one
// from [ClientConn.Concrete].
//
// # What is covered
//
// Clients: the four kinds of calls, deadlines and cancellation, outgoing
// metadata, unary and stream interceptors, and the call options Header, Trailer,
// Peer, OnFinish, WaitForReady, FailFast, UseCompressor, CallContentSubtype,
// ForceCodec, ForceCodecV2, MaxCallRecvMsgSize, MaxCallSendMsgSize,
// PerRPCCredentials and StaticMethod; options of the program's own types that
// embed one of them, or EmptyCallOption, as interceptors use them.
//
// Servers: unary and stream interceptors, incoming metadata, grpc.SetHeader,
// SendHeader, SetTrailer and Method, peers. grpc-go's rules for errors hold: the
// text of every error is shown to the peer, and the status that another call
// returned is passed on.
//
// Errors of calls are statuses to grpc-go's package status, with their details,
// and to Yodel's.
//
// # What is not covered
//
// These fail, and say so:
//
//   - the call options CallAuthority, MaxRetryRPCBufferSize and CallCustomCodec,
//     and message limits of zero or less: UNIMPLEMENTED;
//   - UseCompressor("identity"), where the channel compresses: UNIMPLEMENTED;
//   - metadata whose name begins with "grpc-" and is not one of those that
//     grpc-go leaves out, such as grpc-trace-bin, or is host, content-length or
//     about the connection; values that begin or end with a space: INTERNAL. The
//     names that grpc-go leaves out are left out;
//   - grpc.SetSendCompressor and ClientSupportedCompressors return an error:
//     use yodel.CallFrom(ctx).SetCompressor;
//   - an implementation that does not fit its service: Serve returns the error.
//
// These have another home, because they configure grpc-go's channel and server
// (DialOption, ServerOption), which are not used: credentials, keepalive, limits
// of messages and connections, compression of responses (Yodel compresses them
// where it is told to, not because the request was), codecs and decompressors
// (see [Codec] and [Compressor]) are set in yodel.ChannelConfig and
// yodel.ServerConfig. Name resolution, load balancing and service configurations
// of grpc-go have no effect; nor have its stats handlers, tracing, channelz,
// binary logs, taps, ORCA and unknown-service handlers. There is no
// *grpc.Server, and a *grpc.ClientConn that Concrete returns knows nothing of the
// channel's state.
//
// These differ:
//
//   - a handler's panic ends its call with INTERNAL, not the program;
//   - incoming metadata lacks :authority, content-type, user-agent and
//     grpc-accept-encoding, and so does the header of a response;
//   - a call that breaks the number of messages of its method is UNIMPLEMENTED,
//     as the gRPC status document has it, where grpc-go says INTERNAL; texts of
//     errors that a library makes differ;
//   - SetTrailer on a stream has no result; where the metadata cannot be sent
//     the call ends with INTERNAL;
//   - per-call credentials are asked before a connection is chosen: their
//     RequestInfo tells the security level and no more.
package grpcgo
