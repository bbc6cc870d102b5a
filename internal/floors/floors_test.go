package floors

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestFloors fails when a package imports one of its own floor or of a higher
// one, and when a package is missing from the table. Tests may import what they
// like.
func TestFloors(t *testing.T) {
	root := rootModule(t, readModules(t))
	for _, dir := range slices.Sorted(maps.Keys(root.packages)) {
		p := root.packages[dir]
		floor, ok := floorOf[dir]
		if !ok {
			t.Errorf("package %s is not in the table of internal/floors/table_test.go: give it a floor", dir)
			continue
		}
		for _, imported := range slices.Sorted(maps.Keys(p.imports)) {
			if reason := forbidden(dir, floor, imported); reason != "" {
				t.Errorf("%s imports %s: %s", p.imports[imported], imported, reason)
			}
		}
	}
}

// forbidden says why a package may not import another, or nothing.
func forbidden(dir string, floor int, imported string) string {
	if floor != apart && slices.Contains(forbiddenImports, imported) {
		return "users' programs would pay for it; see forbiddenImports"
	}
	target, ok := within(imported)
	if !ok {
		return ""
	}
	targetFloor, ok := floorOf[target]
	switch {
	case !ok:
		return "it is not a package of the root module's table"
	case floor == apart:
		return ""
	case targetFloor == apart:
		return "nothing imports the tests of the repository"
	case targetFloor < floor, path.Dir(dir) == target:
		return ""
	case floor == ground && slices.Contains(groundImports[dir], target):
		return ""
	}
	return "a package imports packages of lower floors, or its own parent"
}

// TestForbidden shows that the rule above refuses what it should.
func TestForbidden(t *testing.T) {
	for _, c := range []struct {
		dir, imported string
		ok            bool
	}{
		{"internal/frame", modulePath + "/metadata", true},
		{"internal/frame", modulePath + "/internal/hpack", false},
		{"internal/h2", modulePath + "/internal/frame", true},
		{"internal/h2", modulePath + "/internal/protocol", false},
		{"metadata", modulePath + "/status", false},
		{"transport/http2", modulePath + "/transport", true},
		{"transport/http2", modulePath + "/transport/inproc", false},
		{"transport", modulePath + "/transport/http2", false},
		{"transport/http2", modulePath, false},
		{".", modulePath + "/transport/http2", true},
		{".", modulePath + "/yodeltest", false},
		{".", modulePath + "/examples/hello/apipb", false},
		{".", "net/http", false},
		{"generator", "text/template", false},
		{".", "net", true},
	} {
		if reason := forbidden(c.dir, floorOf[c.dir], c.imported); (reason == "") != c.ok {
			t.Errorf("%s imports %s: want allowed %v, got %q", c.dir, c.imported, c.ok, reason)
		}
	}
}

// TestTableHasNoDeadLines fails when the table names a package that is gone.
func TestTableHasNoDeadLines(t *testing.T) {
	root := rootModule(t, readModules(t))
	for dir := range floorOf {
		if root.packages[dir] == nil {
			t.Errorf("the table names %s, which does not exist", dir)
		}
	}
}

// TestNestedModulesUseThePublicAPI fails when a nested module imports an
// internal package, or another nested module's. Modules that are internal
// themselves compare internals with outside libraries, and may.
func TestNestedModulesUseThePublicAPI(t *testing.T) {
	for _, m := range readModules(t) {
		if m.dir == "." || strings.HasPrefix(m.dir, "internal/") {
			continue
		}
		for _, p := range m.packages {
			for _, imports := range []map[string]string{p.imports, p.testImports} {
				for imported, file := range imports {
					target, ok := within(imported)
					if !ok || target == m.dir || strings.HasPrefix(target, m.dir+"/") {
						continue
					}
					if slices.Contains(strings.Split(target, "/"), "internal") {
						t.Errorf("%s imports %s: a nested module uses the public API only", file, imported)
					}
				}
			}
		}
	}
}

func rootModule(t *testing.T, modules []*module) *module {
	t.Helper()
	for _, m := range modules {
		if m.dir == "." {
			return m
		}
	}
	t.Fatal("there is no root module")
	return nil
}
