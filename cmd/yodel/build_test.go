package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The programs that tests run, built once.
var yodelBinary, pluginBinary, protocGenGo string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "yodel-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	for name, p := range map[string]struct {
		binary *string
		pkg    string
	}{
		"yodel":               {&yodelBinary, "."},
		"protoc-gen-go-yodel": {&pluginBinary, "github.com/yodelrpc/yodel/cmd/protoc-gen-go-yodel"},
		"protoc-gen-go":       {&protocGenGo, "google.golang.org/protobuf/cmd/protoc-gen-go"},
	} {
		*p.binary = filepath.Join(dir, name)
		if out, err := exec.Command("go", "build", "-o", *p.binary, p.pkg).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", p.pkg, err, out)
			return 1
		}
	}
	return m.Run()
}
