// Package generator writes Yodel's stubs for the services of .proto files.
//
// It works on a protogen.Plugin, so the same code serves as a plugin of protoc
// and buf (cmd/protoc-gen-go-yodel) and inside the yodel command. For
// x.proto it writes x_yodel.pb.go beside protoc-gen-go's x.pb.go, and nothing
// if x.proto has no services.
//
// # Names
//
// A service S with a method M declares SClient, NewSClient, SServer,
// RegisterS, UnimplementedS, the description S_M of each method, and an
// unexported type for the client. Where such a name is taken, underscores are
// appended to it until it is free. Names are given out in this order, so that
// adding a service or a method at the end renames nothing:
//
//  1. everything that protoc-gen-go declares for the files of the Go package;
//  2. the services of these files, in the order of the files' paths, then in
//     the order of declaration, and so for a service's methods.
//
// Only files that the compiler passed to the plugin count: the files of one Go
// package belong in one run. A method's name on the wire never changes.
//
// Two methods of one service whose names become equal in Go (get_item and
// GetItem) are told apart in the same way: the later one is GetItem_.
package generator
