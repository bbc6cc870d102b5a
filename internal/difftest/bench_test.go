package difftest

import (
	"bytes"
	"testing"

	"github.com/yodelrpc/yodel/internal/hpack"
	xhpack "golang.org/x/net/http2/hpack"
)

// benchFields is what a gRPC request sends; only the last field varies.
var benchFields = []hpack.Field{
	{Name: ":method", Value: "POST"},
	{Name: ":scheme", Value: "http"},
	{Name: ":path", Value: "/helloworld.Greeter/SayHello"},
	{Name: ":authority", Value: "localhost:50051"},
	{Name: "content-type", Value: "application/grpc"},
	{Name: "user-agent", Value: "grpc-go-yodel/0.1.0"},
	{Name: "te", Value: "trailers"},
	{Name: "grpc-timeout", Value: "4999871u"},
}

func encodeRequest(e *hpack.Encoder, dst []byte) []byte {
	dst = e.Begin(dst)
	for i, f := range benchFields {
		ix := hpack.IndexAlways
		if i == len(benchFields)-1 {
			ix = hpack.IndexNever
		}
		dst = e.AppendField(dst, f, ix)
	}
	return dst
}

// BenchmarkEncodeRequest encodes a request that was sent before.
func BenchmarkEncodeRequest(b *testing.B) {
	b.Run("yodel", func(b *testing.B) {
		b.ReportAllocs()
		e := hpack.NewEncoder()
		var dst []byte
		for b.Loop() {
			dst = encodeRequest(e, dst[:0])
		}
	})
	b.Run("x-net", func(b *testing.B) {
		b.ReportAllocs()
		var buf bytes.Buffer
		e := xhpack.NewEncoder(&buf)
		for b.Loop() {
			buf.Reset()
			for _, f := range benchFields {
				if err := e.WriteField(xhpack.HeaderField{Name: f.Name, Value: f.Value}); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkDecodeRequest decodes a request that was received before, but for its
// timeout.
func BenchmarkDecodeRequest(b *testing.B) {
	e := hpack.NewEncoder()
	first, again := encodeRequest(e, nil), encodeRequest(e, nil)
	b.Run("yodel", func(b *testing.B) {
		b.ReportAllocs()
		d := hpack.NewDecoder(hpack.DefaultTableSize)
		fields, err := d.Decode(nil, first, unlimited)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if fields, err = d.Decode(fields[:0], again, unlimited); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("x-net", func(b *testing.B) {
		b.ReportAllocs()
		var fields []xhpack.HeaderField
		d := xhpack.NewDecoder(hpack.DefaultTableSize, func(f xhpack.HeaderField) { fields = append(fields, f) })
		if _, err := d.Write(first); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			fields = fields[:0]
			if _, err := d.Write(again); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkDecodeToken decodes a value that no table helps with.
func BenchmarkDecodeToken(b *testing.B) {
	e := hpack.NewEncoder()
	token := "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6IjEyMyJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIn0.c2lnbmF0dXJl"
	block := e.AppendField(nil, hpack.Field{Name: "authorization", Value: token, Sensitive: true}, hpack.IndexNever)
	b.Run("yodel", func(b *testing.B) {
		b.SetBytes(int64(len(token)))
		b.ReportAllocs()
		d := hpack.NewDecoder(hpack.DefaultTableSize)
		var fields []hpack.Field
		for b.Loop() {
			fields, _ = d.Decode(fields[:0], block, unlimited)
		}
	})
	b.Run("x-net", func(b *testing.B) {
		b.SetBytes(int64(len(token)))
		b.ReportAllocs()
		d := xhpack.NewDecoder(hpack.DefaultTableSize, func(xhpack.HeaderField) {})
		for b.Loop() {
			d.Write(block)
		}
	})
}
