package floors

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const protobufPath = "google.golang.org/protobuf"

// modFile is what `go mod edit -json` says of a go.mod.
type modFile struct {
	Module  struct{ Path string }
	Go      string
	Require []struct {
		Path, Version string
		Indirect      bool
	}
	Replace []struct {
		Old, New struct{ Path, Version string }
	}
}

func readModFile(t *testing.T, dir string) modFile {
	t.Helper()
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = filepath.Join(repositoryRoot(t), filepath.FromSlash(dir))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: go mod edit -json: %v", dir, err)
	}
	var mod modFile
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	return mod
}

// isTools tells that a module only pins tools, and stands outside the
// workspace.
func isTools(dir string) bool { return dir == "tools" || strings.HasPrefix(dir, "tools/") }

func TestRootRequiresProtobufAlone(t *testing.T) {
	mod := readModFile(t, ".")
	if len(mod.Require) != 1 || mod.Require[0].Path != protobufPath {
		t.Errorf("the root go.mod requires %v; it must require %s and nothing else", mod.Require, protobufPath)
	}
	if len(mod.Replace) != 0 {
		t.Errorf("the root go.mod has replacements: %v", mod.Replace)
	}
	if mod.Go != "1.26.0" {
		t.Errorf("the root go.mod says go %s, not 1.26.0", mod.Go)
	}
}

// TestModules checks what the modules must have in common.
func TestModules(t *testing.T) {
	want := readModFile(t, ".").Require[0].Version
	for _, m := range readModules(t) {
		mod := readModFile(t, m.dir)
		path := modulePath
		if m.dir != "." {
			path += "/" + m.dir
		}
		if mod.Module.Path != path {
			t.Errorf("%s/go.mod: the module is called %s, not %s", m.dir, mod.Module.Path, path)
		}
		if isTools(m.dir) {
			continue
		}
		if mod.Go != "1.26.0" {
			t.Errorf("%s/go.mod says go %s, not 1.26.0", m.dir, mod.Go)
		}
		for _, r := range mod.Require {
			if r.Path == protobufPath && r.Version != want {
				t.Errorf("%s/go.mod requires %s %s; the root requires %s, and golden files stamp it", m.dir, r.Path, r.Version, want)
			}
		}
		for _, r := range mod.Replace {
			if _, ours := within(r.Old.Path); !ours {
				t.Errorf("%s/go.mod replaces %s: only this repository's modules may be replaced", m.dir, r.Old.Path)
			}
		}
	}
}

// TestWorkspace fails when go.work leaves out a module, or has one that pins
// tools: their requirements would decide the versions that we test with.
func TestWorkspace(t *testing.T) {
	cmd := exec.Command("go", "work", "edit", "-json")
	cmd.Dir = repositoryRoot(t)
	cmd.Env = append(os.Environ(), "GOWORK="+filepath.Join(cmd.Dir, "go.work"))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go work edit -json: %v", err)
	}
	var work struct {
		Go  string
		Use []struct{ DiskPath string }
	}
	if err := json.Unmarshal(out, &work); err != nil {
		t.Fatal(err)
	}
	var used []string
	for _, u := range work.Use {
		used = append(used, filepath.ToSlash(filepath.Clean(u.DiskPath)))
	}
	for _, m := range readModules(t) {
		if has := slices.Contains(used, m.dir); has == isTools(m.dir) {
			t.Errorf("module %s: in go.work: %v", m.dir, has)
		}
	}
}
