// Package emit makes Go source of compiled .proto files: protoc-gen-go's
// messages and Yodel's stubs.
package emit

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile/options"
	"google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/yodelrpc/yodel/cmd/yodel/internal/compile"
	"github.com/yodelrpc/yodel/generator"
)

// Result is what a run generates. Names are slash-separated and relative to the
// output folder.
type Result struct {
	Files []File
	// NoStubs are the names that stubs would have, for the files that have no
	// services; a file of this name is a leftover.
	NoStubs []string
	// Options are the stub generator's options, as parsed.
	Options generator.Options
}

// File is one generated file.
type File struct {
	Name    string
	Content []byte
}

// Request is what protoc would send to a plugin for the files of set.
// params are the plugin's parameters, each in the form name=value.
//
// Options with source retention are taken out of the files to generate, but
// not out of their imports (plugin.proto, CodeGeneratorRequest.proto_file).
func Request(set *compile.Set, params []string) (*pluginpb.CodeGeneratorRequest, error) {
	// No CompilerVersion: there is no protoc, and generated files say
	// "(unknown)" in its place.
	req := &pluginpb.CodeGeneratorRequest{FileToGenerate: set.Names}
	if len(params) > 0 {
		req.Parameter = new(strings.Join(params, ","))
	}
	for _, f := range set.Files {
		if slices.Contains(set.Names, f.GetName()) {
			req.SourceFileDescriptors = append(req.SourceFileDescriptors, f)
			var err error
			if f, err = options.StripSourceRetentionOptionsFromFile(f); err != nil {
				return nil, fmt.Errorf("%s: %w", f.GetName(), err)
			}
		}
		req.ProtoFile = append(req.ProtoFile, f)
	}
	return req, nil
}

// Generate runs protoc-gen-go's generator and Yodel's on set.
func Generate(set *compile.Set, params []string) (*Result, error) {
	req, err := Request(set, params)
	if err != nil {
		return nil, err
	}
	if req, err = reread(req); err != nil {
		return nil, err
	}
	var opts generator.Options
	gen, err := protogen.Options{ParamFunc: opts.Set}.New(req)
	if err != nil {
		return nil, err
	}
	// Stubs go first: for the hybrid API, protoc-gen-go's generator changes the
	// messages that it is given.
	opts.Generate(gen)
	for _, f := range gen.Files {
		if f.Generate {
			internal_gengo.GenerateFile(gen, f)
		}
	}
	resp := gen.Response()
	if resp.Error != nil {
		return nil, errors.New(resp.GetError())
	}
	slices.SortFunc(resp.GetFile(), func(a, b *pluginpb.CodeGeneratorResponse_File) int {
		return cmp.Compare(a.GetName(), b.GetName())
	})
	result := &Result{Options: opts}
	seen := make(map[string]bool)
	for _, f := range resp.GetFile() {
		if seen[f.GetName()] {
			return nil, fmt.Errorf("two .proto files would both be generated as %s: "+
				"rename one, or give it another go_package", f.GetName())
		}
		seen[f.GetName()] = true
		result.Files = append(result.Files, File{Name: f.GetName(), Content: []byte(f.GetContent())})
	}
	module := moduleParam(params)
	for _, f := range gen.Files {
		name := strings.TrimPrefix(opts.StubName(f), module)
		if f.Generate && len(f.Services) == 0 && !seen[name] {
			result.NoStubs = append(result.NoStubs, name)
		}
	}
	return result, nil
}

// moduleParam is what module= takes away from the names of generated files.
func moduleParam(params []string) string {
	prefix := ""
	for _, p := range params {
		if m, ok := strings.CutPrefix(p, "module="); ok && m != "" {
			prefix = m + "/"
		}
	}
	return prefix
}

// reread passes req through its wire form, as protoc does, so that custom
// options arrive the way a plugin sees them: as unknown fields.
func reread(req *pluginpb.CodeGeneratorRequest) (*pluginpb.CodeGeneratorRequest, error) {
	wire, err := proto.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("encode the descriptors: %w", err)
	}
	req = new(pluginpb.CodeGeneratorRequest)
	if err := proto.Unmarshal(wire, req); err != nil {
		return nil, fmt.Errorf("decode the descriptors: %w", err)
	}
	return req, nil
}
