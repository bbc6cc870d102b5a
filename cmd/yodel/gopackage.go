package main

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/yodelrpc/yodel/cmd/yodel/internal/compile"
	"github.com/yodelrpc/yodel/cmd/yodel/internal/gomod"
)

// Where the go_package option is in a FileDescriptorProto.
var goPackagePath = []int32{8, 11}

// goPackages gives a Go package to the files of set that have none, and checks
// those of the others.
type goPackages struct {
	set    *compile.Set
	layout *layout
	given  []string // parameters from the command line

	params []string             // M<file>=<import path> for files without go_package
	notes  []string             // what was derived, for the user
	errors []compile.Diagnostic // what cannot work
}

func (g *goPackages) resolve() error {
	for _, f := range g.set.Files {
		name := f.GetName()
		if _, ok := g.set.Disk[name]; !ok {
			continue // built in
		}
		if g.isMapped(name) {
			continue
		}
		importPath, _, _ := strings.Cut(f.GetOptions().GetGoPackage(), ";")
		if importPath == "" {
			if err := g.derive(f); err != nil {
				return err
			}
			continue
		}
		g.check(name, importPath)
	}
	return nil
}

// isMapped reports whether the command line gives name a Go package.
func (g *goPackages) isMapped(name string) bool {
	return slices.ContainsFunc(g.given, func(p string) bool { return strings.HasPrefix(p, "M"+name+"=") })
}

func (g *goPackages) isGenerated(name string) bool { return slices.Contains(g.set.Names, name) }

func (g *goPackages) failf(name, format string, args ...any) {
	g.errors = append(g.errors, g.set.ErrorAt(name, fmt.Sprintf(format, args...), goPackagePath...))
}

func (g *goPackages) check(name, importPath string) {
	if !strings.ContainsAny(importPath, "./") {
		g.failf(name, "go_package %q is no Go import path: it needs a '/' or a '.', for example %q",
			importPath, "example.com/project/"+importPath)
		return
	}
	if len(g.layout.modules) == 0 || !g.isGenerated(name) {
		return
	}
	if _, ok := g.layout.folder(importPath); !ok {
		g.failf(name, "go_package %q is outside of the Go module %s; change it, or say where the files go: "+
			"--out DIR, --opt paths=source_relative or --opt module=PREFIX", importPath, g.layout.modulePaths())
	}
}

// derive gives f the Go package of the folder that it is in.
func (g *goPackages) derive(f *descriptorpb.FileDescriptorProto) error {
	name := f.GetName()
	dir := filepath.Dir(g.set.Disk[name])
	m, ok, err := gomod.Find(dir)
	if err != nil {
		return err
	}
	if !ok {
		g.failf(name, "no go_package, and no go.mod from which to derive it; "+
			`add for example: option go_package = "example.com/project/api";`)
		return nil
	}
	importPath, err := m.ImportPath(dir)
	if err != nil {
		g.failf(name, `no go_package, and none can be derived: %v; add for example: option go_package = "%s/api";`, err, m.Path)
		return nil
	}
	if !strings.ContainsAny(importPath, "./") {
		g.failf(name, "no go_package, and none can be derived: the import path %q has neither '/' nor '.', "+
			"which protobuf requires; move the file into a folder, or name the module like a URL", importPath)
		return nil
	}
	if strings.Contains(name, ",") {
		g.failf(name, `no go_package, and none can be derived for a file name with a comma; add: option go_package = "%s";`, importPath)
		return nil
	}
	param := "M" + name + "=" + importPath
	if !strings.Contains(f.GetOptions().GetGoPackage(), ";") {
		if pkg := packageName(dir, importPath); pkg != "" {
			param += ";" + pkg
		}
	}
	g.params = append(g.params, param)
	if g.isGenerated(name) {
		g.notes = append(g.notes, fmt.Sprintf("%s has no go_package; using %q, from go.mod and the folder",
			g.set.Disk[name], importPath))
	}
	return nil
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// packageName is the name of the package in dir, or "" for what protoc-gen-go
// would make of the import path.
func packageName(dir, importPath string) string {
	if name := gomod.PackageName(dir); name != "" {
		return name
	}
	if base := path.Base(importPath); majorVersion.MatchString(base) && path.Dir(importPath) != "." {
		return strings.Map(func(r rune) rune {
			if r == '-' || r == '.' {
				return '_'
			}
			return r
		}, path.Base(path.Dir(importPath)))
	}
	return ""
}
