package protocol

import (
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
)

// pairs makes fields of names and values in turn.
func pairs(s ...string) []Field {
	var fields []Field
	for i := 0; i < len(s); i += 2 {
		fields = append(fields, Field{Name: s[i], Value: s[i+1]})
	}
	return fields
}

func parseRequest(method, path string, fields ...string) (Request, error) {
	var r Request
	r.Start(method, path)
	r.Add(pairs(fields...))
	err := r.Finish()
	return r, err
}

func TestRequestFields(t *testing.T) {
	c := RequestConfig{Subtype: "proto", UserAgent: "grpc-go-yodel/1", Encoding: "gzip", AcceptEncoding: "gzip,zstd"}
	fields, err := AppendRequest(c.AppendFields(nil), time.Second, metadata.MD{{Name: "k-bin", Value: "\x00"}})
	if err != nil {
		t.Fatal(err)
	}
	want := pairs(
		"te", "trailers",
		"content-type", "application/grpc+proto",
		"user-agent", "grpc-go-yodel/1",
		"grpc-encoding", "gzip",
		"grpc-accept-encoding", "gzip,zstd",
		"grpc-timeout", "1000000u", // last of ours, so that what is before repeats
		"k-bin", "AA")
	if !reflect.DeepEqual(fields, want) {
		t.Errorf("got  %v\nwant %v", fields, want)
	}
	var plain RequestConfig
	fields, err = AppendRequest(plain.AppendFields(nil), NoTimeout, nil)
	if want := pairs("te", "trailers", "content-type", "application/grpc"); err != nil || !reflect.DeepEqual(fields, want) {
		t.Errorf("got %v, %v; want %v", fields, err, want)
	}
	fields, _ = AppendRequest(nil, 0, nil)
	if want := pairs("grpc-timeout", "1n"); !reflect.DeepEqual(fields, want) {
		t.Errorf("an expired deadline is sent as %v, want %v", fields, want)
	}
	if _, err := AppendRequest(nil, NoTimeout, metadata.MD{{Name: "te"}}); err == nil {
		t.Error("reserved metadata is sent")
	}
}

func TestUserAgent(t *testing.T) {
	if got, err := UserAgent("", "0.1.0"); got != "grpc-go-yodel/0.1.0" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := UserAgent("app/7 (x)", "0.1.0"); got != "app/7 (x) grpc-go-yodel/0.1.0" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"a\r\nb", "ü", " a"} {
		if _, err := UserAgent(bad, "0.1.0"); err == nil {
			t.Errorf("the prefix %q is sent", bad)
		}
	}
}

func TestParseRequest(t *testing.T) {
	r, err := parseRequest("POST", "/pkg.Svc/Method",
		"te", "trailers",
		"content-type", "application/grpc+json",
		"user-agent", "curl",
		"grpc-encoding", "gzip",
		"grpc-accept-encoding", "identity, gzip",
		"grpc-accept-encoding", "zstd",
		"x", "1",
		"y-bin", "AA==,AAE, AA",
		"grpc-timeout", "5S",
		"grpc-trace-bin", "AA",
		"grpc-previous-rpc-attempts", "1",
		"x", "2")
	if err != nil {
		t.Fatal(err)
	}
	if r.Path != "/pkg.Svc/Method" || r.Service != "pkg.Svc" || r.Method != "Method" {
		t.Errorf("path %q, service %q, method %q", r.Path, r.Service, r.Method)
	}
	if r.Subtype != "json" || r.UserAgent != "curl" || r.Encoding != "gzip" || r.Timeout != 5*time.Second {
		t.Errorf("%+v", r)
	}
	for encoding, want := range map[string]bool{"gzip": true, "zstd": true, "identity": true, "": true, "br": false, "gzi": false} {
		if r.Accepts(encoding) != want {
			t.Errorf("Accepts(%q) = %v", encoding, !want)
		}
	}
	want := metadata.MD(pairs("x", "1", "y-bin", "\x00", "y-bin", "\x00\x01", "y-bin", "\x00",
		"grpc-trace-bin", "\x00", "grpc-previous-rpc-attempts", "1", "x", "2"))
	if !reflect.DeepEqual(r.Metadata, want) {
		t.Errorf("metadata %v, want %v", r.Metadata, want)
	}

	r, err = parseRequest("POST", "/s/m", "content-type", "application/grpc", "grpc-encoding", "identity")
	if err != nil || r.Encoding != "" || r.Timeout != NoTimeout || r.Metadata != nil || r.Accepts("gzip") {
		t.Errorf("%+v, %v: a missing te is no error (wire rule), and nothing else is there", r, err)
	}
}

func TestRejectedRequests(t *testing.T) {
	cases := []struct {
		name, method, path string
		fields             []string
		httpStatus         int
	}{
		{"GET", "GET", "/s/m", nil, 405},
		{"GET of gRPC", "GET", "/s/m", []string{"content-type", "application/grpc"}, 405},
		{"no method", "", "/s/m", nil, 405},
		{"lower case", "post", "/s/m", nil, 405},
		{"CONNECT", "CONNECT", "", nil, 405},
		{"no content-type", "POST", "/s/m", nil, 415},
		{"JSON", "POST", "/s/m", []string{"content-type", "application/json"}, 415},
		{"gRPC-Web", "POST", "/s/m", []string{"content-type", "application/grpc-web"}, 415},
		{"lookalike", "POST", "/s/m", []string{"content-type", "application/grpcfoo"}, 415},
		{"curl to the root", "POST", "/", []string{"content-type", "text/plain"}, 415},
	}
	for _, c := range cases {
		_, err := parseRequest(c.method, c.path, c.fields...)
		r, ok := errors.AsType[*Rejection](err)
		if !ok || r.HTTPStatus != c.httpStatus {
			t.Errorf("%s: %v, want HTTP %d", c.name, err, c.httpStatus)
			continue
		}
		if strings.Count(r.Text, "\n") != 1 || !strings.HasSuffix(r.Text, "\n") || strings.HasSuffix(r.Error(), "\n") {
			t.Errorf("%s: the body %q is not one line", c.name, r.Text)
		}
		if r.Fields[0].Value != "text/plain; charset=utf-8" || r.Fields[1].Value != strconv.Itoa(len(r.Text)) {
			t.Errorf("%s: fields %v", c.name, r.Fields)
		}
	}
}

// R23: one path has one reading, for the router, for access rules and for
// proxies.
func TestPaths(t *testing.T) {
	good := []string{"/s/m", "/pkg.Svc/Method", "/a/b.c", "/.../m", "/s/..m", "/$@!&'()*+,;=:/~-_"}
	for _, path := range good {
		if _, err := parseRequest("POST", path, "content-type", "application/grpc"); err != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
	bad := []string{
		"", "/", "//", "///", "s/m", "/s", "/s/", "//m", "/s//m", "/s/m/", "/s/m/x", "//s/m",
		"/s/m?x=y", "/s/m#x", "/s%2Fm", "/s/%6d", "/s\\m", "/s/m\\", "/./m", "/../m", "/s/.", "/s/..",
		"/s/m ", " /s/m", "/s /m", "/s/m\x00", "/s/m\n", "/s/\x7f", "/sü/m", "/s/\xff",
		"http://host/s/m", "*", "s.m", "\\s\\m",
	}
	for _, path := range bad {
		_, err := parseRequest("POST", path, "content-type", "application/grpc")
		if status.CodeOf(err) != status.Unimplemented {
			t.Errorf("%q: %v, want UNIMPLEMENTED", path, err)
		}
	}
	_, err := parseRequest("POST", strings.Repeat("\n", 10_000), "content-type", "application/grpc")
	if len(err.Error()) > 500 {
		t.Errorf("the error prints a hostile path whole")
	}
}

func TestMalformedRequests(t *testing.T) {
	cases := []struct {
		name   string
		fields []string
	}{
		{"timeout", []string{"grpc-timeout", "5"}},
		{"empty timeout", []string{"grpc-timeout", ""}},
		{"nine digits", []string{"grpc-timeout", "123456789n"}},
		{"two timeouts", []string{"grpc-timeout", "1S", "grpc-timeout", "2S"}},
		{"two encodings", []string{"grpc-encoding", "gzip", "grpc-encoding", "gzip"}},
		{"two content-types", []string{"content-type", "application/grpc"}},
		{"base64", []string{"k-bin", "A"}},
		{"second base64", []string{"k-bin", "AA,A"}},
		{"too many joined", []string{"k-bin", strings.Repeat(",", 128)}},
		{"too many joined, in several fields", []string{"k-bin", strings.Repeat(",", 64), "l-bin", strings.Repeat(",", 64)}},
	}
	for _, c := range cases {
		_, err := parseRequest("POST", "/s/m", append(c.fields, "content-type", "application/grpc")...)
		shown, _ := status.ForPeer(err)
		if shown.Code() != status.Internal || shown.Message() == "" {
			t.Errorf("%s: %v, want INTERNAL with a text that the client sees", c.name, err)
		}
	}
	if _, err := parseRequest("POST", "/s/m", "content-type", "application/grpc", "k-bin", strings.Repeat(",", 127)); err != nil {
		t.Errorf("as many joined values as allowed: %v", err)
	}
	// What HTTP allows and gRPC does not is no error.
	for _, value := range []string{"obs-text \xff", "ü", "", "tab\tinside"} {
		if r, err := parseRequest("POST", "/s/m", "content-type", "application/grpc", "k", value); err != nil || r.Metadata[0].Value != value {
			t.Errorf("value %q: %v", value, err)
		}
	}
	if r, err := parseRequest("POST", "/s/m", "content-type", "application/grpc", "odd!name", "v"); err != nil || len(r.Metadata) != 1 {
		t.Errorf("a name that HTTP allows: %v", err)
	}
	if r, _ := parseRequest("POST", "/s/m", "content-type", "application/grpc", "grpc-timeout", "99999999H"); r.Timeout != math.MaxInt64 {
		t.Errorf("Timeout %d, want the longest", r.Timeout)
	}
}

// A server keeps what it parsed of a block that repeats. What one call does
// with its metadata must not reach the next.
func TestFork(t *testing.T) {
	var kept Request
	kept.Start("POST", "/s/m")
	kept.Add(pairs("content-type", "application/grpc", "k", "v"))
	one, two := kept.Fork(), kept.Fork()
	one.Add(pairs("x", "1", "grpc-timeout", "1S"))
	two.Add(pairs("y", "2"))
	one.Metadata.Set("k", "changed")
	if err := errors.Join(one.Finish(), two.Finish()); err != nil {
		t.Fatal(err)
	}
	if want := metadata.MD(pairs("k", "v", "y", "2")); !reflect.DeepEqual(two.Metadata, want) || two.Timeout != NoTimeout {
		t.Errorf("second fork: %v, timeout %d", two.Metadata, two.Timeout)
	}
	if want := metadata.MD(pairs("k", "v")); !reflect.DeepEqual(kept.Metadata, want) {
		t.Errorf("kept: %v, want %v", kept.Metadata, want)
	}
	twice := kept.Fork()
	twice.Add(pairs("content-type", "application/grpc"))
	if twice.Finish() == nil {
		t.Error("a content-type in both parts is not seen")
	}
}

func TestRequestAllocations(t *testing.T) {
	fields := pairs("te", "trailers", "content-type", "application/grpc+proto", "user-agent", "x",
		"grpc-encoding", "gzip", "grpc-accept-encoding", "gzip", "grpc-timeout", "1S")
	var r Request
	if n := testing.AllocsPerRun(100, func() {
		r.Start("POST", "/s/m")
		r.Add(fields)
		_ = r.Finish()
		_ = r.Accepts("gzip")
	}); n != 0 {
		t.Errorf("parsing a request without metadata allocates %v times", n)
	}
	withMetadata := append(pairs("a", "1", "b", "2"), fields...)
	if n := testing.AllocsPerRun(100, func() {
		r.Start("POST", "/s/m")
		r.Add(withMetadata)
	}); n > 1 {
		t.Errorf("parsing a request with metadata allocates %v times, want one slice", n)
	}
	dst := make([]Field, 0, 8)
	md := metadata.MD{{Name: "k", Value: "v"}}
	if n := testing.AllocsPerRun(100, func() { _, _ = AppendRequest(dst, time.Second, md) }); n > 1 {
		t.Errorf("building a request allocates %v times, want the timeout's text only", n)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add("POST", "/s/m", "content-type\napplication/grpc\ngrpc-timeout\n1S\nk-bin\nAA,AA==")
	f.Add("GET", "", "")
	f.Add("POST", "//", "content-type\napplication/grpc+\nk-bin\n,,,,")
	f.Fuzz(func(t *testing.T, method, path, section string) {
		lines := strings.Split(section, "\n")
		fields := pairs(lines[:len(lines)&^1]...)
		var r Request
		r.Start(method, path)
		r.Add(fields[:len(fields)/2])
		forked := r.Fork()
		forked.Add(fields[len(fields)/2:])
		r.Start(method, path)
		r.Add(fields)
		err, forkedErr := r.Finish(), forked.Finish()
		if !reflect.DeepEqual(err, forkedErr) {
			t.Fatalf("in one part: %v, in two: %v", err, forkedErr)
		}
		if err != nil {
			_, rejected := errors.AsType[*Rejection](err)
			if code := status.CodeOf(err); !rejected && code != status.Internal && code != status.Unimplemented {
				t.Errorf("%v", err)
			}
			return
		}
		if !reflect.DeepEqual(r, forked) {
			t.Errorf("in one part: %+v, in two: %+v", r, forked)
		}
		if r.Path != "/"+r.Service+"/"+r.Method || strings.Count(r.Path, "/") != 2 || method != "POST" {
			t.Errorf("%q accepted as %q, %q", path, r.Service, r.Method)
		}
		if len(r.Metadata) > len(fields)+maxJoined {
			t.Errorf("%d fields became %d", len(fields), len(r.Metadata))
		}
	})
}

func BenchmarkParseRequest(b *testing.B) {
	fields := pairs("te", "trailers", "content-type", "application/grpc", "user-agent", "grpc-go/1.85.0",
		"grpc-accept-encoding", "gzip", "grpc-timeout", "999912u")
	b.ReportAllocs()
	for b.Loop() {
		var r Request
		r.Start("POST", "/pkg.Service/Method")
		r.Add(fields)
		if err := r.Finish(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendRequest(b *testing.B) {
	md := metadata.MD{{Name: "authorization", Value: "Bearer token"}, {Name: "trace-bin", Value: "0123456789abcdef"}}
	dst := make([]Field, 0, 8)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := AppendRequest(dst, 999912*time.Microsecond, md); err != nil {
			b.Fatal(err)
		}
	}
}
