package main

import (
	"strings"
	"testing"

	"github.com/yodelrpc/yodel/examples/hello/apipb"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// TestNormalise has both forms that prototext chooses from, since one build
// shows only one of them.
func TestNormalise(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"resp: \"Hello Vikesh\"\n", "resp: \"Hello Vikesh\"\n"},
		{"resp:  \"Hello Vikesh\"\n", "resp: \"Hello Vikesh\"\n"},
		{"resp:  \"a:  b\"\n", "resp: \"a:  b\"\n"},
		{"resp:  \"a\\\"  b\\\\\"  other:  1\n", "resp: \"a\\\"  b\\\\\" other: 1\n"},
		{"resp:  'a\"  b'  other:  1\n", "resp: 'a\"  b' other: 1\n"},
		{"m:  {\n  s:  \"x\"\n}\n", "m: {\n  s: \"x\"\n}\n"},
	} {
		if got := normalise(c.in); got != c.want {
			t.Errorf("normalise(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

// TestTextForm fails when a text does not mean the message that it was made of.
func TestTextForm(t *testing.T) {
	for _, resp := range []string{
		"Hello Vikesh", "Hello  two  spaces", `"quoted"`, `'`, `\`, "line\nbreak\ttab", "Zoë 世界 🎶", "a:  b", "\x00\x7f", "",
		strings.Repeat(" ", 9),
	} {
		message := &apipb.ApiResponse{Resp: resp}
		text, err := textForm(message)
		if err != nil {
			t.Errorf("%q: %v", resp, err)
			continue
		}
		var back apipb.ApiResponse
		if err := prototext.Unmarshal([]byte(text), &back); err != nil {
			t.Errorf("%q: the text form %q cannot be parsed: %v", resp, text, err)
			continue
		}
		if !proto.Equal(message, &back) {
			t.Errorf("%q: the text form %q means %q", resp, text, back.GetResp())
		}
		if resp != "" && (!strings.HasPrefix(text, `resp: "`) || strings.Count(text, "\n") != 1) {
			t.Errorf("%q: text form %q", resp, text)
		}
	}
}
