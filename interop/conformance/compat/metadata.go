package compat

import (
	"encoding/base64"
	"strings"

	"github.com/yodelrpc/yodel/interop/conformance/conformancepb"
	"github.com/yodelrpc/yodel/metadata"
)

// Metadata returns what the suite's headers are to an application. The suite
// spells the bytes of "-bin" values in base64; what is not base64 is taken as it
// is.
func Metadata(headers []*conformancepb.Header) metadata.MD {
	var md metadata.MD
	for _, header := range headers {
		binary := strings.HasSuffix(strings.ToLower(header.GetName()), "-bin")
		for _, value := range header.GetValue() {
			if binary {
				value = decode(value)
			}
			md.Add(header.GetName(), value)
		}
	}
	return md
}

// Headers returns how the suite spells md: one header for each name, its values
// in order.
func Headers(md metadata.MD) []*conformancepb.Header {
	var headers []*conformancepb.Header
	byName := make(map[string]*conformancepb.Header)
	for name, value := range md.All() {
		header := byName[name]
		if header == nil {
			header = &conformancepb.Header{Name: name}
			byName[name] = header
			headers = append(headers, header)
		}
		if strings.HasSuffix(name, "-bin") {
			value = base64.RawStdEncoding.EncodeToString([]byte(value))
		}
		header.Value = append(header.Value, value)
	}
	return headers
}

func decode(value string) string {
	decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
	if err != nil {
		return value
	}
	return string(decoded)
}
