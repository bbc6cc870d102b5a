package protocol

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
)

const noLimit = -1

func verdict(t *testing.T, err error) *status.Error {
	t.Helper()
	e, ok := errors.AsType[*status.Error](err)
	if !ok {
		t.Fatalf("%v is no *status.Error", err)
	}
	return e
}

func parseResponse(httpStatus int, fields []Field) Response {
	var r Response
	r.Start(httpStatus)
	r.Add(fields)
	return r
}

func TestResponseFields(t *testing.T) {
	c := ResponseConfig{Subtype: "json", Encoding: "gzip", AcceptEncoding: "gzip"}
	if got, want := c.AppendFields(nil), pairs("content-type", "application/grpc+json", "grpc-encoding", "gzip", "grpc-accept-encoding", "gzip"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := (&ResponseConfig{}).AppendFields(nil), pairs("content-type", "application/grpc"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTrailerRoundTrip(t *testing.T) {
	md := metadata.MD{{Name: "k", Value: "v"}, {Name: "k-bin", Value: "\xff"}}
	st := verdict(t, status.New(status.NotFound, "grüezi\n100%", wrapperspb.String("detail")))
	fields, lost, err := AppendTrailer(nil, st, md, noLimit)
	if err != nil || lost != 0 {
		t.Fatal(lost, err)
	}
	if names := fieldNames(fields); names != "grpc-status grpc-message grpc-status-details-bin k k-bin" {
		t.Errorf("fields %s", names)
	}
	if fields[0].Value != "5" || fields[1].Value != "gr%C3%BCezi%0A100%25" {
		t.Errorf("%q, %q", fields[0].Value, fields[1].Value)
	}
	r := parseResponse(200, fields)
	got := verdict(t, r.Status())
	if got.Code() != status.NotFound || got.Message() != st.Message() || !got.FromPeer() {
		t.Errorf("got %v", got)
	}
	if d, ok := status.DetailOf[*wrapperspb.StringValue](got); !ok || d.GetValue() != "detail" {
		t.Errorf("the detail is %v, %v", d, ok)
	}
	if !reflect.DeepEqual(r.Metadata, md) {
		t.Errorf("metadata %v, want %v", r.Metadata, md)
	}

	fields, lost, err = AppendTrailer(nil, nil, nil, 0)
	if want := pairs("grpc-status", "0"); !reflect.DeepEqual(fields, want) || lost != 0 || err != nil {
		t.Errorf("OK is %v, %v, %v: status is required even for OK", fields, lost, err)
	}
	if r := parseResponse(200, fields); r.Status() != nil {
		t.Errorf("OK came back as %v", r.Status())
	}
	for code := status.Canceled; code.Valid(); code++ {
		fields, _, _ := AppendTrailer(nil, verdict(t, status.New(code, "")), nil, noLimit)
		if r := parseResponse(200, fields); status.CodeOf(r.Status()) != code || len(fields) != 1 {
			t.Errorf("%v came back as %v", code, r.Status())
		}
	}
}

func fieldNames(fields []Field) string {
	var names []string
	for _, f := range fields {
		names = append(names, f.Name)
	}
	return strings.Join(names, " ")
}

// R21: what would pass the peer's limit is left out in a fixed order, and the
// status always goes. Each limit is tried, so that none lets the section grow
// beyond it.
func TestTrailerLimit(t *testing.T) {
	st := verdict(t, status.New(status.NotFound, strings.Repeat("ü", 50), wrapperspb.String(strings.Repeat("d", 100))))
	md := metadata.MD{{Name: "k-bin", Value: "12345"}}
	head := pairs("content-type", "application/grpc")
	all, _, _ := AppendTrailer(head, st, md, noLimit)
	whole := statusPseudoSize + Size(all)
	least := statusPseudoSize + Size(all[:2])
	seen := map[Lost]bool{}
	last := Lost(0xff)
	for limit := range whole + 10 {
		fields, lost, err := AppendTrailer(head[:1:1], st, md, limit)
		if err != nil {
			t.Fatal(err)
		}
		if size := statusPseudoSize + Size(fields); size > max(limit, least) {
			t.Fatalf("limit %d: %d bytes", limit, size)
		}
		if fields[1].Name != nameStatus || fields[1].Value != "5" {
			t.Fatalf("limit %d: the status is missing", limit)
		}
		r := parseResponse(200, fields)
		if e := verdict(t, r.Status()); !strings.HasPrefix(st.Message(), e.Message()) {
			t.Fatalf("limit %d: message %q", limit, e.Message())
		}
		names := fieldNames(fields)
		if strings.Contains(names, "k-bin") == (lost&LostMetadata != 0) || strings.Contains(names, nameDetails) == (lost&LostDetails != 0) {
			t.Fatalf("limit %d: %s, lost %b", limit, names, lost)
		}
		if lost&LostMessage != 0 && lost&LostDetails == 0 {
			t.Fatalf("limit %d: the message was cut to keep the details", limit)
		}
		seen[lost] = true
		last = lost
	}
	if last != 0 || !seen[LostDetails] || !seen[LostDetails|LostMessage] || !seen[LostDetails|LostMessage|LostMetadata] {
		t.Errorf("seen %v, at last %b", seen, last)
	}
	if _, lost, _ := AppendTrailer(nil, verdict(t, status.New(status.Internal, strings.Repeat("x", 1<<20))), nil, noLimit); lost != LostMessage {
		t.Errorf("lost %b: a message of 1 MiB goes out whole", lost)
	}
}

func TestTrailerWithBadMetadata(t *testing.T) {
	fields, _, err := AppendTrailer(nil, nil, metadata.MD{{Name: "grpc-status", Value: "0"}}, noLimit)
	if err == nil || fieldNames(fields) != "grpc-status" {
		t.Errorf("%s, %v: want an error, and the status all the same", fieldNames(fields), err)
	}
}

func TestStatusOfResponse(t *testing.T) {
	details := func(code status.Code) string {
		st := status.Make(status.FromProgram, code, "other text", verdict(t, status.New(code, "", wrapperspb.String("d"))).Details(), nil)
		return EncodeBinary(string(verdict(t, st).AppendProto(nil)))
	}
	cases := []struct {
		name       string
		httpStatus int
		fields     []string
		code       status.Code
		message    string
		fromPeer   bool
	}{
		{"ok", 200, []string{"grpc-status", "0"}, status.OK, "", false},
		{"ok with a message", 200, []string{"grpc-status", "0", "grpc-message", "x"}, status.OK, "", false},
		{"error", 200, []string{"grpc-status", "5", "grpc-message", "a%20b"}, status.NotFound, "a b", true},
		{"message first", 200, []string{"grpc-message", "x", "grpc-status", "5"}, status.NotFound, "x", true},
		{"broken escape", 200, []string{"grpc-status", "5", "grpc-message", "100%"}, status.NotFound, "100%", true},
		{"out of range", 200, []string{"grpc-status", "17", "grpc-message", "x"}, status.Unknown, "x", true},
		{"far out of range", 200, []string{"grpc-status", "99999999999999999999"}, status.Unknown, "", true},
		{"wraps 32 bits", 200, []string{"grpc-status", "4294967296"}, status.Unknown, "", true},
		{"negative", 200, []string{"grpc-status", "-1"}, status.Unknown, "", true},
		{"no number", 200, []string{"grpc-status", "OK"}, status.Unknown, "", true},
		{"empty", 200, []string{"grpc-status", ""}, status.Unknown, "", true},
		{"leading zero", 200, []string{"grpc-status", "05"}, status.Unknown, "", true},
		{"zeros", 200, []string{"grpc-status", "00"}, status.Unknown, "", true},
		{"plus", 200, []string{"grpc-status", "+5"}, status.Unknown, "", true},
		{"two", 200, []string{"grpc-status", "5", "grpc-status", "0"}, status.NotFound, "", true},
		{"missing", 200, nil, status.Unknown, "", false},
		{"missing with content-type", 200, []string{"content-type", "application/grpc"}, status.Unknown, "", false},
		{"missing and HTML", 200, []string{"content-type", "text/html"}, status.Unknown, "", false},
		{"HTTP 503", 503, []string{"content-type", "text/html"}, status.Unavailable, "", false},
		{"HTTP 503 with a status", 503, []string{"grpc-status", "5"}, status.NotFound, "", true},
		{"details", 200, []string{"grpc-status", "5", "grpc-message", "m", "grpc-status-details-bin", details(5)}, status.NotFound, "m", true},
		{"details of another code", 200, []string{"grpc-status", "5", "grpc-message", "m", "grpc-status-details-bin", details(6)}, status.NotFound, "m", true},
		{"details that are not base64", 200, []string{"grpc-status", "5", "grpc-message", "m", "grpc-status-details-bin", "A"}, status.NotFound, "m", true},
		{"details that are not protobuf", 200, []string{"grpc-status", "5", "grpc-message", "m", "grpc-status-details-bin", "/w"}, status.NotFound, "m", true},
		{"bad metadata, error", 200, []string{"grpc-status", "5", "k-bin", "A"}, status.NotFound, "", true},
		{"bad metadata, ok", 200, []string{"grpc-status", "0", "k-bin", "A"}, status.Internal, "", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := parseResponse(c.httpStatus, pairs(c.fields...))
			err := r.Status()
			if c.code == status.OK {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			e := verdict(t, err)
			if e.Code() != c.code || e.FromPeer() != c.fromPeer || c.fromPeer && e.Message() != c.message {
				t.Errorf("got %v %q, from the peer %v; want %v %q, %v", e.Code(), e.Message(), e.FromPeer(), c.code, c.message, c.fromPeer)
			}
			if !c.fromPeer && e.Message() == "" {
				t.Error("it does not say what is wrong")
			}
			if strings.Contains(c.name, "that are not") && e.Unwrap() == nil {
				t.Error("it does not say that the details are lost")
			}
			if e.Code() == status.Unknown && c.fromPeer && e.Unwrap() == nil {
				t.Error("it does not say what the peer's status was")
			}
		})
	}
}

func TestHeaderOfResponse(t *testing.T) {
	cases := []struct {
		name       string
		httpStatus int
		fields     []string
		code       status.Code
		says       string
	}{
		{"good", 200, []string{"content-type", "application/grpc+proto", "k", "v"}, status.OK, ""},
		{"HTML", 200, []string{"content-type", "text/html"}, status.Unknown, `"text/html"`},
		{"no content-type", 200, nil, status.Unknown, "no content-type"},
		{"502", 502, []string{"content-type", "application/grpc"}, status.Unavailable, "502"},
		{"404 of a web server", 404, []string{"content-type", "text/html"}, status.Unimplemented, "404"},
		{"bad metadata", 200, []string{"content-type", "application/grpc", "k-bin", "A"}, status.Internal, "k-bin"},
	}
	for _, c := range cases {
		r := parseResponse(c.httpStatus, pairs(c.fields...))
		err := r.Header()
		if status.CodeOf(err) != c.code || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v and %q", c.name, err, c.code, c.says)
		}
	}
	r := parseResponse(200, pairs("content-type", "application/grpc", "grpc-encoding", "gzip", "grpc-accept-encoding", "gzip", "k", "v"))
	if r.Encoding != "gzip" || !r.Accepts("gzip") || r.Accepts("br") || len(r.Metadata) != 1 {
		t.Errorf("%+v", r)
	}
	f := r.Fork()
	f.Metadata.Set("k", "changed")
	if r.Metadata[0].Value != "v" {
		t.Error("a fork shares its metadata")
	}
}

func TestHTTPStatusToCode(t *testing.T) {
	want := map[int]status.Code{
		400: status.Internal, 401: status.Unauthenticated, 403: status.PermissionDenied,
		404: status.Unimplemented, 429: status.Unavailable, 431: status.Unknown,
		502: status.Unavailable, 503: status.Unavailable, 504: status.Unavailable,
		200: status.Unknown, 204: status.Unknown, 301: status.Unknown, 405: status.Unknown,
		415: status.Unknown, 500: status.Unknown, 0: status.Unknown, -1: status.Unknown,
	}
	for http, code := range want {
		if got := HTTPStatusToCode(http); got != code {
			t.Errorf("HTTPStatusToCode(%d) = %v, want %v", http, got, code)
		}
	}
}

func TestResponseAllocations(t *testing.T) {
	dst := make([]Field, 0, 8)
	head, tail := pairs("content-type", "application/grpc"), pairs("grpc-status", "0")
	var r Response
	if n := testing.AllocsPerRun(100, func() {
		r.Start(200)
		r.Add(head)
		_ = r.Header()
		r.Start(200)
		r.Add(tail)
		_ = r.Status()
		_, _, _ = AppendTrailer(dst, nil, nil, 16<<10)
	}); n != 0 {
		t.Errorf("a response without metadata allocates %v times", n)
	}
}

func FuzzResponse(f *testing.F) {
	f.Add(200, "grpc-status\n5\ngrpc-message\n%41\ngrpc-status-details-bin\nCAUSAXg")
	f.Add(503, "content-type\ntext/html")
	f.Fuzz(func(t *testing.T, httpStatus int, section string) {
		lines := strings.Split(section, "\n")
		r := parseResponse(httpStatus, pairs(lines[:len(lines)&^1]...))
		_ = r.Header()
		err := r.Status()
		if err == nil {
			return
		}
		e := verdict(t, err)
		if !e.Code().Valid() || e.Code() == status.OK || strings.ContainsAny(e.Error(), "\n\r\x00") {
			t.Errorf("%q", e.Error())
		}
		fields, _, err := AppendTrailer(nil, e, nil, 1000)
		if err != nil || statusPseudoSize+Size(fields) > 1000 {
			t.Errorf("%d bytes, %v", Size(fields), err)
		}
	})
}

func BenchmarkParseResponse(b *testing.B) {
	head, tail := pairs("content-type", "application/grpc"), pairs("grpc-status", "0", "grpc-message", "")
	b.ReportAllocs()
	for b.Loop() {
		var r Response
		r.Start(200)
		r.Add(head)
		err := r.Header()
		var tr Response
		tr.Start(200)
		tr.Add(tail)
		if err != nil || tr.Status() != nil {
			b.Fatal("not OK")
		}
	}
}

func BenchmarkAppendTrailer(b *testing.B) {
	dst := make([]Field, 0, 8)
	st, _ := status.ForPeer(status.Errorf(status.NotFound, "no user %d: %w", 7, io.EOF))
	b.Run("ok", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _, _ = AppendTrailer(dst, nil, nil, 16<<10)
		}
	})
	b.Run("error", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _, _ = AppendTrailer(dst, st, nil, 16<<10)
		}
	})
}
