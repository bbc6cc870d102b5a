package protocol

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/yodelrpc/yodel/metadata"
)

// R22: what this program may not send is refused at its own API, by name and
// with the reason, and never dropped in silence.
func TestCheckMetadata(t *testing.T) {
	bad := []struct{ name, value, want string }{
		{"", "v", "no name"},
		{":path", "v", "pseudo-header"},
		{":authority", "v", "pseudo-header"},
		{"UPPER", "v", "character"},
		{"sp ace", "v", "character"},
		{"col:on", "v", "character"},
		{"new\nline", "v", "character"},
		{"nul\x00", "v", "character"},
		{"ünicode", "v", "character"},
		{"paren(", "v", "character"},
		{"grpc-status", "0", "reserved"},
		{"grpc-timeout", "1S", "reserved"},
		{"grpc-anything", "v", "reserved"},
		{"grpc-trace-bin", "v", "reserved"},
		{"content-type", "application/grpc", "reserved"},
		{"te", "trailers", "reserved"},
		{"user-agent", "x", "reserved"},
		{"host", "x", "reserved"},
		{"connection", "close", "reserved"},
		{"keep-alive", "x", "reserved"},
		{"proxy-connection", "x", "reserved"},
		{"transfer-encoding", "chunked", "reserved"},
		{"upgrade", "h2c", "reserved"},
		{"content-length", "5", "reserved"},
		{"k", "a\r\nx: y", "printable ASCII"},
		{"k", "\x00", "printable ASCII"},
		{"k", "ü", "printable ASCII"},
		{"k", "\x7f", "printable ASCII"},
		{"k", "\t", "printable ASCII"},
		{"k", " v", "space"},
		{"k", "v ", "space"},
		{"k", " ", "space"},
	}
	for _, c := range bad {
		md := metadata.MD{{Name: "good", Value: "v"}, {Name: c.name, Value: c.value}}
		for _, err := range []error{CheckMetadata(md), second(AppendMetadata(nil, md))} {
			e, ok := errors.AsType[*FieldError](err)
			if !ok || e.Name != c.name || !strings.Contains(e.Error(), c.want) {
				t.Errorf("%q: %q gives %v, want an error about it that says %q", c.name, c.value, err, c.want)
			}
		}
		dst := []Field{{Name: "x", Value: "y"}}
		if out, _ := AppendMetadata(dst, md); len(out) != 1 {
			t.Errorf("%q: a part of refused metadata was appended", c.name)
		}
	}
	good := metadata.MD{
		{Name: "a-b_c.d0", Value: "all of ~ !\"#%,;="},
		{Name: "k", Value: ""},
		{Name: "k-bin", Value: "\x00\xff \r\n"},
		{Name: "authorization", Value: "Bearer x", Sensitive: true},
		{Name: "grpc", Value: "v"},
		{Name: "-bin", Value: "\x00"},
	}
	if err := CheckMetadata(good); err != nil {
		t.Error(err)
	}
	if err := CheckMetadata(nil); err != nil {
		t.Error(err)
	}
	long := &FieldError{Name: strings.Repeat("\n", 10_000), Problem: "x"}
	if len(long.Error()) > 400 || strings.Contains(long.Error(), "\n") {
		t.Errorf("the error prints a hostile name whole: %q", long.Error())
	}
}

func second(_ []Field, err error) error { return err }

// Metadata must come back from the wire as it went: order, duplicates, bytes,
// and the mark that keeps secrets out of compression tables.
func TestMetadataRoundTrip(t *testing.T) {
	md := metadata.MD{
		{Name: "b", Value: "2"},
		{Name: "a-bin", Value: "\x00\xff"},
		{Name: "b", Value: "1, with a comma"},
		{Name: "a-bin", Value: ""},
		{Name: "authorization", Value: "secret", Sensitive: true},
		{Name: "token-bin", Value: "secret", Sensitive: true},
	}
	wire, err := AppendMetadata(nil, md)
	if err != nil {
		t.Fatal(err)
	}
	if wire[1].Value != "AP8" || md[1].Value != "\x00\xff" {
		t.Errorf("a-bin is %q on the wire and %q in the program", wire[1].Value, md[1].Value)
	}
	var r Request
	r.Start("POST", "/s/m")
	r.Add(wire)
	if !reflect.DeepEqual(r.Metadata, md) {
		t.Errorf("got %v, want %v", r.Metadata, md)
	}
}

func TestSize(t *testing.T) {
	if got := Size([]Field{{Name: "ab", Value: "cde"}, {Name: "f"}}); got != 2+3+32+1+32 {
		t.Errorf("Size = %d", got)
	}
}
