package generator

import (
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

const deprecation = "Deprecated: Do not use."

// docComment joins an opening sentence, the comment from the .proto and, for
// something deprecated, the paragraph by which Go tools know it. Any part may
// be empty. The result ends in a newline, or is empty.
func docComment(opening string, fromProto protogen.Comments, deprecated bool) string {
	var parts []string
	if opening != "" {
		parts = append(parts, "// "+opening+"\n")
	}
	own := proseComment(fromProto)
	if own != "" {
		parts = append(parts, own)
	}
	if deprecated && !hasDeprecation(own) {
		parts = append(parts, "// "+deprecation+"\n")
	}
	return strings.Join(parts, "//\n")
}

// proseComment writes c as Go line comments. A line that does not start with a
// space gets one: "//go:generate" in a .proto is prose, and must not become a
// directive of the generated file.
func proseComment(c protogen.Comments) string {
	text := strings.TrimRight(strings.ReplaceAll(string(c), "\r", ""), "\n")
	if text == "" {
		return ""
	}
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString("//")
		if line != "" && line[0] != ' ' && line[0] != '\t' {
			b.WriteByte(' ')
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.String()
}

// hasDeprecation reports whether a comment has its own "Deprecated:" paragraph.
func hasDeprecation(comment string) bool {
	blank := true
	for line := range strings.SplitSeq(comment, "\n") {
		text := strings.TrimSpace(strings.TrimPrefix(line, "//"))
		if blank && strings.HasPrefix(text, "Deprecated:") {
			return true
		}
		blank = text == ""
	}
	return false
}

func fileDeprecated(f protoreflect.FileDescriptor) bool {
	options, _ := f.Options().(*descriptorpb.FileOptions)
	return options.GetDeprecated()
}

// serviceDeprecated reports whether s is marked, or its whole file.
func serviceDeprecated(s *protogen.Service) bool {
	options, _ := s.Desc.Options().(*descriptorpb.ServiceOptions)
	return fileDeprecated(s.Desc.ParentFile()) || options.GetDeprecated()
}

func methodDeprecated(m *protogen.Method) bool {
	options, _ := m.Desc.Options().(*descriptorpb.MethodOptions)
	return options.GetDeprecated()
}
