// Package protocol is gRPC over HTTP's header and trailer sections, in both
// directions (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md,
// called PROTOCOL-HTTP2 below).
//
// It works on fields and knows neither frames nor streams: whoever carries the
// sections calls it. What is parsed is fed in parts, so that the result for a
// part that repeats from call to call can be kept and copied; see
// [Request.Fork].
package protocol
