package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/yodelrpc/yodel/cmd/yodel/internal/compile"
	"github.com/yodelrpc/yodel/cmd/yodel/internal/gomod"
)

// layout decides where generated files go.
type layout struct {
	// modules, if there are any, are the Go modules of the .proto files; a
	// file's name is its import path, and the module with the longest path that
	// fits has its folder.
	modules []gomod.Module
	// root is where names start otherwise.
	root string
	// params are the generators' parameters that make the names so.
	params []string
}

// newLayout returns the layout for the files of set.
//
// paths= and module= among params mean what they mean with protoc, below out.
// Otherwise, out given means a tree of the .proto files' shape below it; and
// not given, the folder that go_package names in the Go module around the
// .proto file, or, outside of any module, beside the .proto file.
func newLayout(set *compile.Set, out string, params []string) (*layout, error) {
	l := &layout{root: out}
	if l.root == "" {
		l.root = "."
	}
	if slices.ContainsFunc(params, func(p string) bool {
		return strings.HasPrefix(p, "paths=") || strings.HasPrefix(p, "module=")
	}) {
		return l, nil
	}
	if out == "" {
		if err := l.findModules(set); err != nil {
			return nil, err
		}
	}
	if len(l.modules) == 0 {
		l.params = []string{"paths=source_relative"}
	}
	return l, nil
}

func (l *layout) findModules(set *compile.Set) error {
	for _, name := range set.Names {
		m, ok, err := gomod.Find(filepath.Dir(set.Disk[name]))
		if err != nil {
			return err
		}
		if ok && !slices.Contains(l.modules, m) {
			l.modules = append(l.modules, m)
		}
	}
	return nil
}

// folder returns the folder of the Go package importPath, and whether it is in
// one of the modules.
func (l *layout) folder(importPath string) (string, bool) {
	best, dir := -1, ""
	for _, m := range l.modules {
		if d, ok := m.Folder(importPath); ok && len(m.Path) > best {
			best, dir = len(m.Path), d
		}
	}
	return dir, best >= 0
}

// path returns where the generated file called name goes, relative to the
// current folder where that is shorter.
func (l *layout) path(name string) (string, error) {
	local := filepath.FromSlash(name)
	if !filepath.IsLocal(local) {
		return "", fmt.Errorf("generated file %s would leave the output folder: check go_package and the options", name)
	}
	if len(l.modules) == 0 {
		return filepath.Join(l.root, local), nil
	}
	dir, file := filepath.Split(local)
	dir, ok := l.folder(filepath.ToSlash(filepath.Clean(dir)))
	if !ok {
		return "", fmt.Errorf("generated file %s belongs to no Go module here (%s)", name, l.modulePaths())
	}
	return short(filepath.Join(dir, file)), nil
}

func (l *layout) modulePaths() string {
	var paths []string
	for _, m := range l.modules {
		paths = append(paths, m.Path+" in "+short(m.Dir))
	}
	return strings.Join(paths, ", ")
}

// short makes an absolute path relative to the current folder, unless it is
// outside of it.
func short(path string) string {
	cwd, err := os.Getwd()
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(cwd, path)
	if err != nil || !filepath.IsLocal(rel) {
		return path
	}
	return rel
}
