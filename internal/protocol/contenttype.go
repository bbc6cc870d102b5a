package protocol

import "strings"

const contentTypeGRPC = "application/grpc"

// Identity is the name of no compression at all (PROTOCOL-HTTP2,
// Message-Encoding). Parsed values have "" for it.
const Identity = "identity"

// ContentType returns the content-type for a content-subtype. An empty one
// means "application/grpc", whose messages are protobuf.
func ContentType(subtype string) string {
	switch subtype {
	case "":
		return contentTypeGRPC
	case "proto":
		return contentTypeGRPC + "+proto"
	default:
		return contentTypeGRPC + "+" + subtype
	}
}

// parseContentType returns the content-subtype, and whether the type is gRPC's
// at all. Parameters after ';' are ignored, and so is case.
func parseContentType(s string) (subtype string, ok bool) {
	if len(s) < len(contentTypeGRPC) || !strings.EqualFold(s[:len(contentTypeGRPC)], contentTypeGRPC) {
		return "", false
	}
	rest := s[len(contentTypeGRPC):]
	if rest == "" {
		return "", true
	}
	if params := strings.IndexByte(rest, ';'); params >= 0 {
		rest = strings.TrimRight(rest[:params], " \t")
		if rest == "" {
			return "", true
		}
	}
	if rest[0] != '+' {
		return "", false
	}
	return strings.ToLower(rest[1:]), true
}

// parseEncoding returns "" for no compression.
func parseEncoding(s string) string {
	if s == Identity {
		return ""
	}
	return s
}
