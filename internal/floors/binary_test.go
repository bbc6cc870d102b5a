package floors

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const helloClient = "./hello/client"

// TestHelloClientLinks fails when a user's smallest program links what switches
// off the linker's dead-code elimination, or net/http.
func TestHelloClientLinks(t *testing.T) {
	examples := filepath.Join(repositoryRoot(t), "examples")
	deps := strings.Fields(run(t, examples, "go", "list", "-deps", helloClient))
	if !slices.Contains(deps, modulePath) {
		t.Fatalf("the hello client does not link %s: is this test still looking at the right program?", modulePath)
	}
	for _, dep := range forbiddenImports {
		if slices.Contains(deps, dep) {
			t.Errorf("the hello client links %s", dep)
		}
	}

	// The linker marks functions that look methods up by a name that it cannot
	// see; one that is reachable keeps every exported method of the program.
	binary := filepath.Join(t.TempDir(), "client")
	dump := run(t, examples, "go", "build", "-o", binary, "-ldflags=-dumpdep", helloClient)
	if !strings.Contains(dump, "main.main") {
		t.Fatal("the linker's -dumpdep printed no dependencies")
	}
	culprits := map[string]bool{}
	for line := range strings.Lines(dump) {
		if name, _, found := strings.Cut(line, " <ReflectMethod> ->"); found {
			culprits[name] = true
		}
	}
	for name := range culprits {
		t.Errorf("dead-code elimination is off: %s looks methods up by name", name)
	}

	// The type of a server's call brings those of all that a server has.
	for _, name := range []string{"serverCall", "bareCall", "Server"} {
		if before, _, found := strings.Cut(dump, " -> type:"+modulePath+"."+name+"\n"); found {
			t.Errorf("the client links the type %s of servers, for %s", name, before[strings.LastIndexByte(before, '\n')+1:])
		}
	}
	if !strings.Contains(dump, " -> type:"+modulePath+".Channel\n") {
		t.Error("the client seems not to link the type Channel: is this test still looking for types?")
	}
}

// TestHelloClientSize prints the size of the stripped client, and has a
// ceiling, so that a jump does not go unseen.
func TestHelloClientSize(t *testing.T) {
	const ceiling = 8 << 20
	binary := filepath.Join(t.TempDir(), "client")
	run(t, filepath.Join(repositoryRoot(t), "examples"), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, helloClient)
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the stripped hello client has %d bytes", info.Size())
	if info.Size() > ceiling {
		t.Errorf("the stripped hello client has %d bytes; the ceiling is %d", info.Size(), ceiling)
	}
}

// run returns what a command prints on both outputs.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
