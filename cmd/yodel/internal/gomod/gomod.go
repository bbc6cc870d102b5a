// Package gomod answers where a folder is among Go modules.
package gomod

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// Module is a Go module on disk.
type Module struct {
	Dir  string // absolute
	Path string // the module path
}

// Find returns the module that the folder dir belongs to, and whether there is
// one.
func Find(dir string) (Module, bool, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Module{}, false, err
	}
	for {
		file := filepath.Join(dir, "go.mod")
		text, err := os.ReadFile(file) //nolint:gosec // a go.mod above a folder that the user names
		switch {
		case err == nil:
			modPath := modfile.ModulePath(text)
			if modPath == "" {
				return Module{}, false, fmt.Errorf("%s has no module line", file)
			}
			return Module{Dir: dir, Path: modPath}, true, nil
		case !errors.Is(err, fs.ErrNotExist):
			return Module{}, false, err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return Module{}, false, nil
		}
		dir = parent
	}
}

// ImportPath returns the import path of the package in the folder dir of m.
func (m Module) ImportPath(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(m.Dir, abs)
	if err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("the folder %s is outside of the module %s in %s", dir, m.Path, m.Dir)
	}
	importPath := path.Join(m.Path, filepath.ToSlash(rel))
	if err := module.CheckImportPath(importPath); err != nil {
		return "", fmt.Errorf("the folder %s cannot be a Go package: %w", dir, err)
	}
	return importPath, nil
}

// Folder returns the folder of the package importPath in m, and whether m is
// where that package would be.
func (m Module) Folder(importPath string) (string, bool) {
	if importPath == m.Path {
		return m.Dir, true
	}
	rest, ok := strings.CutPrefix(importPath, m.Path+"/")
	if !ok || !filepath.IsLocal(filepath.FromSlash(rest)) {
		return "", false
	}
	return filepath.Join(m.Dir, filepath.FromSlash(rest)), true
}

// PackageName returns the name that the Go files in dir give to their package,
// or "" if there are none. A package main counts only if there is no other: it
// is often a generator that the build leaves out.
func PackageName(dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	name := ""
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".go" || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, entry.Name()), nil, parser.PackageClauseOnly)
		if err != nil {
			continue
		}
		if name = f.Name.Name; name != "main" {
			return name
		}
	}
	return name
}
