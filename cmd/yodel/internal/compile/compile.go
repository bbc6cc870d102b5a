// Package compile turns .proto files into descriptors, without protoc.
package compile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/protoutil"
	"github.com/bufbuild/protocompile/reporter"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Set is the result of a compilation.
type Set struct {
	// Names are the files that were asked for, by their names in imports.
	Names []string
	// Files are these and everything that they import, imports first, with
	// comments and positions.
	Files []*descriptorpb.FileDescriptorProto
	// Disk maps a file's name to its path on disk. The standard imports, which
	// are built in, are not in it.
	Disk map[string]string

	text map[string][]byte // the sources, by name
}

// ErrorAt is an error about the element of the file called name that has the
// given path (see google.protobuf.SourceCodeInfo), or about the whole file if
// there is no such element.
func (s *Set) ErrorAt(name, message string, path ...int32) Diagnostic {
	d := Diagnostic{File: cmp.Or(s.Disk[name], name), Message: message}
	for _, f := range s.Files {
		if f.GetName() != name {
			continue
		}
		for _, loc := range f.GetSourceCodeInfo().GetLocation() {
			if span := loc.GetSpan(); slices.Equal(loc.GetPath(), path) && len(span) >= 3 {
				d.locate(s.text[name], int(span[0])+1, int(span[1])+1)
				return d
			}
		}
	}
	return d
}

// Compile compiles the given .proto files, given as paths on disk. importPaths
// are the folders in which imports are looked for and relative to which files
// are named; none means the current folder.
//
// Diagnostics are errors and warnings about the sources, in their order; with
// an error among them, or when err is not nil, there is no Set.
func Compile(ctx context.Context, importPaths, files []string) (*Set, []Diagnostic, error) {
	if len(importPaths) == 0 {
		importPaths = []string{"."}
	}
	src := &sources{importPaths: importPaths, disk: make(map[string]string), text: make(map[string][]byte), absent: make(map[string]bool)}
	names, err := src.names(files)
	if err != nil {
		return nil, nil, err
	}
	linked, diagnostics, err := src.compile(ctx, names)
	if linked == nil {
		return nil, diagnostics, err
	}
	set := &Set{Names: names, Disk: src.disk, text: src.text}
	seen := make(map[string]bool)
	for _, f := range linked {
		set.add(f, seen)
	}
	return set, diagnostics, nil
}

// compile compiles the files called names. The compiler gives up at the first
// import that it does not find; to tell about all of them, compile tries again
// with an empty file in its place. What the compiler says then about the other
// files is left out: most of it would follow from what they lack.
func (s *sources) compile(ctx context.Context, names []string) (linker.Files, []Diagnostic, error) {
	var first *diagnostics
	for {
		report := &diagnostics{sources: s, order: names}
		compiler := protocompile.Compiler{
			Resolver:       protocompile.WithStandardImports(s),
			SourceInfoMode: protocompile.SourceInfoStandard,
			Reporter:       reporter.NewReporter(report.error, report.warning),
		}
		linked, err := compiler.Compile(ctx, names...)
		if first == nil {
			first = report
		}
		var positioned reporter.ErrorWithPos
		var missing *notFoundError
		switch {
		case errors.As(err, &positioned) && errors.As(err, &missing) && !s.absent[missing.name]:
			first.list = append(first.list, first.diagnostic(positioned))
			s.absent[missing.name] = true
			continue
		case first != report:
			return nil, first.sorted(), nil
		case err != nil:
			return nil, report.sorted(), report.beyond(err)
		}
		return linked, report.sorted(), nil
	}
}

// add appends f after its imports.
func (s *Set) add(f protoreflect.FileDescriptor, seen map[string]bool) {
	if seen[f.Path()] {
		return
	}
	seen[f.Path()] = true
	imports := f.Imports()
	for i := range imports.Len() {
		s.add(imports.Get(i).FileDescriptor, seen)
	}
	s.Files = append(s.Files, protoutil.ProtoFromFileDescriptor(f))
}

// Failed reports whether there is an error among ds.
func Failed(ds []Diagnostic) bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return !d.Warning })
}

// beyond returns what err says that the diagnostics do not: nil for an error
// that was reported with its position.
func (r *diagnostics) beyond(err error) error {
	var positioned reporter.ErrorWithPos
	if errors.Is(err, reporter.ErrInvalidSource) || errors.As(err, &positioned) {
		if Failed(r.list) {
			return nil
		}
	}
	return fmt.Errorf("compile: %w", err)
}
