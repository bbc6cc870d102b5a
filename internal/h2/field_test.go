package h2

import (
	"errors"
	"strings"
	"testing"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/metadata"
)

// fields reads "name=value" pairs separated by '|'.
func fields(s string) []metadata.Field {
	var all []metadata.Field
	if s == "" {
		return all
	}
	for pair := range strings.SplitSeq(s, "|") {
		name, value, _ := strings.Cut(pair, "=")
		all = append(all, metadata.Field{Name: name, Value: value})
	}
	return all
}

func show(all []metadata.Field) string {
	var parts []string
	for _, f := range all {
		parts = append(parts, f.Name+"="+f.Value)
	}
	return strings.Join(parts, "|")
}

const post = ":method=POST|:scheme=http|:path=/s/m|:authority=a"

func TestCheckRequest(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{post, "POST http a /s/m -1 "},
		{":authority=a|:path=/s/m|:scheme=https|:method=POST|te=trailers", "POST https a /s/m -1 te=trailers"},
		{post + "|content-length=0|x-bin=a,b", "POST http a /s/m 0 content-length=0|x-bin=a,b"},
		{":method=OPTIONS|:scheme=http|:path=*|:authority=a", "OPTIONS http a * -1 "},
		{":method=GET|:scheme=http|:path=/a//b%2f../?q={}|:authority=a", "GET http a /a//b%2f../?q={} -1 "},
		{":method=CONNECT|:authority=a:443", "CONNECT  a:443  -1 "},
		{":method=POST|:scheme=http|:path=/s/m|:authority=[::1]:80", "POST http [::1]:80 /s/m -1 "},
		{":method=POST|:scheme=http|:path=/s/m|:authority=/run/app.sock", "POST http /run/app.sock /s/m -1 "},
		{":method=POST|:scheme=http|:path=/s/m|host=h|a=1", "POST http h /s/m -1 a=1"},
		{post + "|a=1|host=h|b=2", "POST http a /s/m -1 a=1|b=2"},
		{post + "|x=tab\tand \x80\xff", "POST http a /s/m -1 x=tab\tand \x80\xff"},
		{post + "|x= spaces |y=", "POST http a /s/m -1 x= spaces |y="},
		{post + "|!#$%&'*+-.^_`~09az=v", "POST http a /s/m -1 !#$%&'*+-.^_`~09az=v"},
	} {
		in := fields(tt.in)
		r, err := CheckRequest(in)
		got := strings.Join([]string{r.Method, r.Scheme, r.Authority, r.Path, itoa(r.ContentLength), show(r.Fields)}, " ")
		if err != nil || got != tt.want {
			t.Errorf("%q: %q, %v; want %q", tt.in, got, err, tt.want)
		}
	}
}

func itoa(n int64) string {
	if n < 0 {
		return "-1"
	}
	return string(rune('0' + n))
}

func TestMalformedRequest(t *testing.T) {
	for _, tt := range []struct {
		in     string
		status int
	}{
		{"", 0},
		{"a=b", 0},
		// Method, scheme or path is missing.
		{":scheme=http|:path=/|:authority=a", 0},
		{":method=POST|:path=/|:authority=a", 0},
		{":method=POST|:scheme=http|:authority=a", 0},

		{":method=|:scheme=http|:path=/|:authority=a", 0},                // empty method
		{":method=P T|:scheme=http|:path=/|:authority=a", 0},             // not a token
		{":method=POST|:scheme=ht:tp|:path=/|:authority=a", 0},           // not a scheme
		{":method=POST|:scheme=http|:path=|:authority=a", 0},             // h2spec 8.1.2.3
		{":method=POST|:scheme=http|:path=s/m|:authority=a", 0},          // CVE-2026-33186
		{":method=POST|:scheme=http|:path=*|:authority=a", 0},            // only for OPTIONS
		{":method=POST|:scheme=http|:path=http://a/s/m|:authority=a", 0}, // absolute form
		{":method=POST|:scheme=http|:path=/s m|:authority=a", 0},         //
		{":method=POST|:scheme=http|:path=/s#m|:authority=a", 0},         //
		{":method=POST|:scheme=http|:path=/s\r\n|:authority=a", 0},       //
		{":method=POST|:scheme=http|:path=/\xc3\xa4|:authority=a", 0},    //
		{post + "|:method=POST", 0},                                      // twice
		{post + "|:scheme=http", 0},                                      //
		{post + "|:path=/s/m", 0},                                        //
		{post + "|:status=200", 0},                                       // a response's
		{post + "|:protocol=x", 0},                                       // unknown
		{post + "|a=b|:path=/x", 0},                                      // after a regular field
		{":method=CONNECT|:scheme=http|:authority=a", 0},                 // RFC 9113 §8.5
		{":method=CONNECT|:path=/|:authority=a", 0},                      //
		{":method=CONNECT", 400},                                         //
		{post + "|:authority=a", 400},                                    // gRFC A41
		{post + "|:authority=b", 400},                                    //
		{post + "|host=a|host=a", 400},                                   //
		{":method=POST|:scheme=http|:path=/s/m", 400},                    // CVE-2026-84445
		{":method=POST|:scheme=http|:path=/s/m|host=", 400},              //
		{":method=POST|:scheme=http|:path=/s/m|:authority=|host=h", 400}, //
		{":method=POST|:scheme=http|:path=/s/m|:authority=u@a", 400},     // userinfo
		{":method=POST|:scheme=http|:path=/s/m|host=u:p@a", 400},         //
		{":method=POST|:scheme=http|:path=/s/m|:authority=a b", 400},     //
		{":method=POST|:scheme=http|:path=/s/m|:authority=a\x00", 400},   //
		{":method=POST|:scheme=http|:path=/s/m|:authority=a?b", 400},     //
		{post + "|content-length=1|content-length=1", 0},                 //
		{post + "|content-length=", 0},                                   //
		{post + "|content-length=+1", 0},                                 //
		{post + "|content-length=-1", 0},                                 //
		{post + "|content-length=1, 1", 0},                               //
		{post + "|content-length=9223372036854775808", 0},                //
	} {
		_, err := CheckRequest(fields(tt.in))
		var e *FieldError
		if !errors.As(err, &e) || e.Status != tt.status {
			t.Errorf("%q: %v, want status %d", tt.in, err, tt.status)
			continue
		}
		wantError(t, e.OnStream(7), frame.CodeProtocol, 7)
	}
}

// What no section may hold, wherever it is: in requests, responses, trailers and
// the rest of remembered blocks (R22).
func TestMalformedFields(t *testing.T) {
	bad := []string{
		"connection=close", "proxy-connection=x", "keep-alive=x", "transfer-encoding=chunked", "upgrade=h2c",
		"te=gzip", "te=trailers, gzip", "te=", "Name=v", "nAme=v", "=v", "na me=v", "n\x00=v", "n\x7f=v", "n\xc3\xa4=v",
		"na:me=v", "n@me=v", ":x=v", ":=v", "n=a\x00b", "n=a\rb", "n=a\nb", "n=\x01", "n=\x7f", ":status=200x",
	}
	for i := range 256 {
		c := byte(i)
		if strings.IndexByte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz=", c) < 0 {
			bad = append(bad, "n"+string([]byte{c})+"=v")
		}
		if c < ' ' && c != '\t' || c == 0x7f {
			bad = append(bad, "n="+string([]byte{c}))
		}
	}
	for _, in := range bad {
		for _, check := range []struct {
			name string
			err  error
		}{
			{"request", requestError(fields(post + "|" + in))},
			{"response", responseError(fields(":status=200|" + in))},
			{"trailers", CheckTrailers(fields("a=b|" + in))},
			{"more", moreError(-1, fields("a=b|"+in))},
		} {
			var e *FieldError
			if !errors.As(check.err, &e) || e.Status != 0 {
				t.Errorf("%s with %q: %v", check.name, in, check.err)
			}
		}
	}
}

func requestError(f []metadata.Field) error {
	_, err := CheckRequest(f)
	return err
}

func responseError(f []metadata.Field) error {
	_, err := CheckResponse(f)
	return err
}

func moreError(n int64, f []metadata.Field) error {
	_, _, err := CheckMore(n, f)
	return err
}

func TestCheckResponse(t *testing.T) {
	r, err := CheckResponse(fields(":status=200|content-length=5|te=trailers|host=x"))
	if err != nil || r.Status != 200 || r.ContentLength != 5 || show(r.Fields) != "content-length=5|te=trailers|host=x" {
		t.Errorf("%+v, %v", r, err)
	}
	for _, in := range []string{":status=100", ":status=999"} {
		if _, err := CheckResponse(fields(in)); err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
	for _, in := range []string{
		"", "a=b", ":status=", ":status=20", ":status=2000", ":status=099", ":status=+20", ":status=2x0", ":status=101",
		":status=200|:status=200", "a=b|:status=200", ":method=POST", ":status=200|:path=/", ":status=200|content-length=x",
		":status=200|content-length=1|content-length=2",
	} {
		if _, err := CheckResponse(fields(in)); err == nil {
			t.Errorf("%q was let pass", in)
		}
	}
}

func TestCheckTrailers(t *testing.T) {
	for _, in := range []string{"", "grpc-status=0|grpc-message=ends in a space "} {
		if err := CheckTrailers(fields(in)); err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
	if err := CheckTrailers(fields("a=b|:status=200")); err == nil {
		t.Error("a pseudo-header field in trailers (RFC 9113 §8.1)")
	}
}

func TestCheckMore(t *testing.T) {
	n, rest, err := CheckMore(-1, fields("a=1|host=x|content-length=3|b=2"))
	if err != nil || n != 3 || show(rest) != "a=1|content-length=3|b=2" {
		t.Errorf("%d %q %v", n, show(rest), err)
	}
	if n, _, err := CheckMore(4, fields("a=1")); n != 4 || err != nil {
		t.Error(n, err)
	}
	for _, in := range []string{"host=x|host=y", "content-length=4"} {
		if err := moreError(4, fields(in)); err == nil {
			t.Errorf("%q was let pass", in)
		}
	}
}

// A name that the peer chose is shown quoted and cut.
func TestFieldErrorText(t *testing.T) {
	long := strings.Repeat("\n", 1000)
	text := malformed(long, "is bad").Error()
	if strings.Contains(text, "\n") || len(text) > 300 || !strings.Contains(text, "is bad") {
		t.Errorf("%q", text)
	}
	if text := malformed("", "it is bad").Error(); text != "malformed header section: it is bad" {
		t.Errorf("%q", text)
	}
}

// FuzzSection feeds sections of any kind: no panic, and what passes holds what
// the rest of the program relies on.
func FuzzSection(f *testing.F) {
	f.Add(post + "|te=trailers|host=b")
	f.Add(":method=POST|:scheme=http|:path=/s/m|host=b|content-length=9")
	f.Add(":status=200|content-type=application/grpc")
	f.Add("grpc-status=0|Upper=x|:late=1")
	f.Add(":method=OPTIONS|:path=*|:scheme=https|:authority=[::1]:443")
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := CheckRequest(fields(s)); err == nil {
			if r.Method == "" || r.Authority == "" || strings.Contains(r.Authority, "@") || r.ContentLength < -1 ||
				r.Method != "CONNECT" && (r.Scheme == "" || r.Path[0] != '/' && r.Path != "*") {
				t.Fatalf("%q passed as %+v", s, r)
			}
			passed(t, r.Fields)
			for _, f := range r.Fields {
				if f.Name == "host" {
					t.Fatalf("%q kept its host", s)
				}
			}
		}
		if r, err := CheckResponse(fields(s)); err == nil {
			if r.Status < 100 || r.Status > 999 || r.ContentLength < -1 {
				t.Fatalf("%q passed as %+v", s, r)
			}
			passed(t, r.Fields)
		}
		if in := fields(s); CheckTrailers(in) == nil {
			passed(t, in)
		}
		if _, rest, err := CheckMore(-1, fields(s)); err == nil {
			passed(t, rest)
		}
	})
}

func passed(t *testing.T, all []metadata.Field) {
	t.Helper()
	for _, f := range all {
		if f.Name == "" || strings.ToLower(f.Name) != f.Name || strings.ContainsAny(f.Name, ": \r\n\x00") || strings.ContainsAny(f.Value, "\r\n\x00") {
			t.Fatalf("%q=%q passed", f.Name, f.Value)
		}
	}
}

var request = fields(post + "|te=trailers|content-type=application/grpc|grpc-timeout=1S|user-agent=grpc-go/1.85.0|x-request-id=0123456789abcdef")

func TestCheckDoesNotAllocate(t *testing.T) {
	response := fields(":status=200|content-type=application/grpc")
	trailers := fields("grpc-status=0|grpc-message=")
	if allocs := testing.AllocsPerRun(100, func() {
		_, err1 := CheckRequest(request)
		_, err2 := CheckResponse(response)
		if err1 != nil || err2 != nil || CheckTrailers(trailers) != nil {
			t.Fatal(err1, err2)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations, want 0", allocs)
	}
}

func BenchmarkCheckRequest(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := CheckRequest(request); err != nil {
			b.Fatal(err)
		}
	}
}
