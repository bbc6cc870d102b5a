package main

import (
	"strings"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// textForm returns a message's protobuf text form, one field a line.
//
// Package prototext varies the spaces between its tokens from build to build,
// so that nobody relies on them; whoever compares text must normalise it.
func textForm(m proto.Message) (string, error) {
	text, err := prototext.MarshalOptions{Multiline: true}.Marshal(m)
	if err != nil {
		return "", err
	}
	return normalise(string(text)), nil
}

// normalise makes one space of several, between tokens: the indentation of a
// line and what stands in quotes stay as they are.
func normalise(text string) string {
	var b strings.Builder
	var quote byte // the one that we are in, or zero
	escaped := false
	indent := true
	for i := range len(text) {
		c := text[i]
		switch {
		case quote != 0:
			if !escaped && c == quote {
				quote = 0
			}
			escaped = !escaped && c == '\\'
		case c == '"' || c == '\'':
			quote = c
		case c == ' ' && !indent && text[i-1] == ' ':
			continue
		}
		indent = quote == 0 && (c == '\n' || indent && c == ' ')
		b.WriteByte(c)
	}
	return b.String()
}
