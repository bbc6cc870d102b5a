package grpcgo

import (
	"maps"
	"slices"

	grpcmetadata "google.golang.org/grpc/metadata"

	"github.com/yodelrpc/yodel/metadata"
)

// outgoing returns md as Yodel sends it. Names that the protocol sets are left
// out without a word, as grpc-go leaves them out: programs copy the metadata of
// one call into another. The order of names is the alphabet's, because a map
// has none.
func outgoing(md grpcmetadata.MD) metadata.MD {
	if len(md) == 0 {
		return nil
	}
	out := make(metadata.MD, 0, len(md))
	for _, name := range slices.Sorted(maps.Keys(md)) {
		if isReserved(name) {
			continue
		}
		for _, value := range md[name] {
			out.Add(name, value)
		}
	}
	return out
}

// isReserved tells the names that grpc-go leaves out.
func isReserved(name string) bool {
	switch name {
	case "content-type", "user-agent", "te", "grpc-message-type", "grpc-encoding",
		"grpc-message", "grpc-status", "grpc-timeout":
		return true
	}
	return name != "" && name[0] == ':'
}

// incoming returns md as grpc-go shows it. It is never nil.
func incoming(md metadata.MD) grpcmetadata.MD {
	in := make(grpcmetadata.MD, len(md))
	for _, f := range md {
		in[f.Name] = append(in[f.Name], f.Value)
	}
	return in
}
