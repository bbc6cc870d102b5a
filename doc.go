// Package yodel is gRPC for Go: a [Channel] calls the methods of a [Server],
// over its own HTTP/2 or inside one process.
//
// Generated code makes typed clients and servers from a .proto file; what it is
// built on (Call..., ...Route, [Stream]) is here for everyone else. Errors of
// calls are status errors: see package status for their codes, and for what of
// a handler's error its peer is shown.
package yodel
