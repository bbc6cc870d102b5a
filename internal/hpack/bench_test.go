package hpack

import (
	"slices"
	"strings"
	"testing"
)

// benchField is a field of a gRPC call and how it is sent.
type benchField struct {
	field Field
	ix    Indexing
}

var (
	benchRequest = []benchField{
		{Field{Name: ":method", Value: "POST"}, IndexAlways},
		{Field{Name: ":scheme", Value: "http"}, IndexAlways},
		{Field{Name: ":path", Value: "/helloworld.Greeter/SayHello"}, IndexAlways},
		{Field{Name: ":authority", Value: "localhost:50051"}, IndexAlways},
		{Field{Name: "content-type", Value: "application/grpc"}, IndexAlways},
		{Field{Name: "user-agent", Value: "grpc-go-yodel/0.1.0"}, IndexAlways},
		{Field{Name: "te", Value: "trailers"}, IndexAlways},
	}
	benchDeadline = append(slices.Clip(benchRequest),
		benchField{Field{Name: "grpc-timeout", Value: "4999871u"}, IndexNever})
	benchResponse = []benchField{
		{Field{Name: ":status", Value: "200"}, IndexAlways},
		{Field{Name: "content-type", Value: "application/grpc"}, IndexAlways},
	}
	benchTrailer = []benchField{
		{Field{Name: "grpc-status", Value: "0"}, IndexAlways},
		{Field{Name: "grpc-message", Value: ""}, IndexAlways},
	}
	benchMetadata = append(slices.Clip(benchDeadline),
		benchField{Field{Name: "authorization", Value: "Bearer " + strings.Repeat("eyJhbGciOi", 30), Sensitive: true}, IndexAuto},
		benchField{Field{Name: "traceparent", Value: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, IndexNever},
		benchField{Field{Name: "x-tenant", Value: "yodel"}, IndexAuto})
)

func (e *Encoder) appendAll(dst []byte, fields []benchField) []byte {
	dst = e.Begin(dst)
	for i := range fields {
		dst = e.AppendField(dst, fields[i].field, fields[i].ix)
	}
	return dst
}

var benchBlocks = []struct {
	name   string
	fields []benchField
}{
	{"request", benchRequest},
	{"request+timeout", benchDeadline},
	{"request+metadata", benchMetadata},
	{"response", benchResponse},
	{"trailer", benchTrailer},
}

func BenchmarkEncode(b *testing.B) {
	for _, bb := range benchBlocks {
		b.Run(bb.name+"/first", func(b *testing.B) {
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				dst = NewEncoder().appendAll(dst[:0], bb.fields)
			}
			b.ReportMetric(float64(len(dst)), "B/block")
		})
		b.Run(bb.name+"/again", func(b *testing.B) {
			b.ReportAllocs()
			e := NewEncoder()
			var dst []byte
			for range 3 {
				dst = e.appendAll(dst[:0], bb.fields)
			}
			for b.Loop() {
				dst = e.appendAll(dst[:0], bb.fields)
			}
			b.ReportMetric(float64(len(dst)), "B/block")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	lim := Limits{Bytes: 16 << 10, Fields: 128}
	for _, bb := range benchBlocks {
		first := NewEncoder().appendAll(nil, bb.fields)
		b.Run(bb.name+"/first", func(b *testing.B) {
			b.ReportAllocs()
			var dst []Field
			for b.Loop() {
				var err error
				if dst, err = NewDecoder(DefaultTableSize).Decode(dst[:0], first, lim); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(bb.name+"/again", func(b *testing.B) {
			b.ReportAllocs()
			e, d := NewEncoder(), NewDecoder(DefaultTableSize)
			var dst []Field
			var again []byte
			for range 3 {
				again = e.appendAll(nil, bb.fields)
				if _, err := d.Decode(nil, again, lim); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				var err error
				if dst, err = d.Decode(dst[:0], again, lim); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHuffman(b *testing.B) {
	for _, bb := range []struct{ name, s string }{
		{"path", "/helloworld.Greeter/SayHello"},
		{"token", strings.Repeat("eyJhbGciOiJSUzI1NiIsImtpZCI6", 10)},
		{"rare", strings.Repeat("\x00\xff{}", 70)},
	} {
		code := appendHuffman(nil, bb.s)
		b.Run("encode/"+bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(bb.s)))
			var dst []byte
			for b.Loop() {
				_ = huffmanLength(bb.s)
				dst = appendHuffman(dst[:0], bb.s)
			}
		})
		b.Run("decode/"+bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(bb.s)))
			dst := make([]byte, len(bb.s))
			for b.Loop() {
				huffmanDecode(dst, code)
			}
		})
	}
}

func BenchmarkBomb(b *testing.B) {
	block := make([]byte, 400_000)
	for i := range block {
		block[i] = 0x90
	}
	b.SetBytes(int64(len(block)))
	d := NewDecoder(DefaultTableSize)
	var dst []Field
	for b.Loop() {
		dst, _ = d.Decode(dst[:0], block, Limits{Bytes: 16 << 10, Fields: 128})
	}
}
