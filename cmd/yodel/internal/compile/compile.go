// Package compile turns .proto files into descriptors, without protoc.
package compile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"github.com/bufbuild/protocompile/reporter"
	"google.golang.org/protobuf/proto"
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
	src := &sources{importPaths: importPaths, files: make(map[string]source)}
	names, err := src.names(files)
	if err != nil {
		return nil, nil, err
	}
	report := &diagnostics{sources: src, order: names}
	if err := src.load(names, report); err != nil {
		return nil, nil, err
	}
	if list := report.sorted(); Failed(list) {
		return nil, list, nil
	}
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(src),
		SourceInfoMode: protocompile.SourceInfoStandard,
		Reporter:       reporter.NewReporter(report.error, report.warning),
	}
	linked, err := compiler.Compile(ctx, names...)
	list := report.sorted()
	if err != nil {
		return nil, list, beyond(list, err)
	}
	set := &Set{Names: names, Disk: make(map[string]string), text: make(map[string][]byte)}
	for name, f := range src.files {
		set.Disk[name], set.text[name] = f.disk, f.text
	}
	seen := make(map[string]bool)
	for _, f := range linked {
		set.add(f, seen)
	}
	return set, list, nil
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
	s.Files = append(s.Files, placeEdition(protoutil.ProtoFromFileDescriptor(f)))
}

// Where a SourceCodeInfo has a file's first line, and where this compiler has
// it if that line is an edition.
const (
	syntaxPath  = 12
	editionPath = 14
)

// placeEdition returns f with the place of its edition where protoc has it,
// under the number of the field syntax: generators look for the comment of the
// first line there.
func placeEdition(f *descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
	isEdition := func(loc *descriptorpb.SourceCodeInfo_Location) bool {
		return slices.Equal(loc.GetPath(), []int32{editionPath})
	}
	if !slices.ContainsFunc(f.GetSourceCodeInfo().GetLocation(), isEdition) {
		return f
	}
	f = proto.CloneOf(f) // the compiler may still use its own
	for _, loc := range f.GetSourceCodeInfo().GetLocation() {
		if isEdition(loc) {
			loc.Path = []int32{syntaxPath}
		}
	}
	return f
}

// Failed reports whether there is an error among ds.
func Failed(ds []Diagnostic) bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return !d.Warning })
}

// beyond returns what err says that the diagnostics do not: nil for an error
// that was reported with its position.
func beyond(reported []Diagnostic, err error) error {
	_, positioned := errors.AsType[reporter.ErrorWithPos](err)
	if Failed(reported) && (positioned || errors.Is(err, reporter.ErrInvalidSource)) {
		return nil
	}
	return fmt.Errorf("compile: %w", err)
}
