package hello_test

import (
	"os"
	"strings"
	"testing"
)

// TestReadmeShowsTheExample fails when the first Go snippet of the repository's
// README is not the body of Example, which is compiled and run.
func TestReadmeShowsTheExample(t *testing.T) {
	_, rest, found := strings.Cut(readFile(t, "../../README.md"), "```go\n")
	if !found {
		t.Fatal("the README has no Go snippet")
	}
	snippet, _, _ := strings.Cut(rest, "```")
	if body := exampleBody(t); snippet != body {
		t.Errorf("the README's first Go snippet is\n%s\nbut the body of Example is\n%s", snippet, body)
	}
}

// TestReadmeShowsTheService fails when the README's second Go snippet is not in
// the example's file.
func TestReadmeShowsTheService(t *testing.T) {
	snippets := strings.Split(readFile(t, "../../README.md"), "```go\n")
	if len(snippets) < 3 {
		t.Fatalf("the README has %d Go snippets", len(snippets)-1)
	}
	snippet, _, _ := strings.Cut(snippets[2], "```")
	if !strings.Contains(readFile(t, "example_test.go"), snippet) {
		t.Errorf("example_test.go does not have the README's second Go snippet:\n%s", snippet)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// exampleBody returns the text of Example without its indentation and without
// what it expects.
func exampleBody(t *testing.T) string {
	t.Helper()
	_, body, found := strings.Cut(readFile(t, "example_test.go"), "func Example() {\n")
	if !found {
		t.Fatal("there is no function Example")
	}
	body, _, _ = strings.Cut(body, "\n}\n")
	var b strings.Builder
	for line := range strings.Lines(body + "\n") {
		line = strings.TrimPrefix(line, "\t")
		if !strings.HasPrefix(line, "// Output:") {
			b.WriteString(line)
		}
	}
	return b.String()
}
