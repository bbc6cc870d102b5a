package generator

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/gofeaturespb"
)

// scope is the set of names taken in one Go scope.
type scope map[string]bool

// take returns name, with as many underscores appended as it needs to be free,
// and marks it as taken.
func (s scope) take(name string) string {
	for s[name] {
		name += "_"
	}
	s[name] = true
	return name
}

func (s scope) reserve(names ...string) {
	for _, name := range names {
		s[name] = true
	}
}

// serviceNames are the package-level names that one service declares, and the
// Go names of its methods, in their order.
type serviceNames struct {
	client        string // the client interface
	newClient     string
	clientType    string // the unexported client type
	server        string
	register      string
	unimplemented string
	methods       []methodNames
}

type methodNames struct {
	method string // in the interfaces
	desc   string // the *yodel.Method variable
}

// namesFor gives every service of file's Go package its names and returns
// those of file's own services. The whole package takes part, whichever of its
// files are being generated, so that a name does not depend on that.
func (o Options) namesFor(gen *protogen.Plugin, file *protogen.File) map[*protogen.Service]serviceNames {
	var pkg []*protogen.File
	for _, f := range gen.Files {
		if f.GoImportPath == file.GoImportPath {
			pkg = append(pkg, f)
		}
	}
	slices.SortFunc(pkg, func(a, b *protogen.File) int { return cmp.Compare(a.Desc.Path(), b.Desc.Path()) })

	taken := make(scope)
	if o.PackageSuffix == "" {
		for _, f := range pkg {
			reserveFile(taken, f)
		}
	}
	for _, f := range pkg {
		reserveImports(taken, f)
	}
	all := make(map[*protogen.Service]serviceNames)
	for _, f := range pkg {
		for _, service := range f.Services {
			all[service] = nameService(taken, service)
		}
	}
	return all
}

func nameService(taken scope, service *protogen.Service) serviceNames {
	s := service.GoName
	names := serviceNames{
		client:        taken.take(s + "Client"),
		newClient:     taken.take("New" + s + "Client"),
		clientType:    taken.take(unexported(s) + "Client"),
		server:        taken.take(s + "Server"),
		register:      taken.take("Register" + s),
		unimplemented: taken.take("Unimplemented" + s),
	}
	methods := make(scope)
	for _, method := range service.Methods {
		name := methods.take(method.GoName)
		names.methods = append(names.methods, methodNames{method: name, desc: taken.take(s + "_" + name)})
	}
	return names
}

// reserveImports takes the names under which f's stubs may import a package: a
// Go file cannot import a package under a name that its own package declares.
func reserveImports(taken scope, f *protogen.File) {
	for _, service := range f.Services {
		for _, method := range service.Methods {
			taken.reserve(path.Base(string(method.Input.GoIdent.GoImportPath)))
			taken.reserve(path.Base(string(method.Output.GoIdent.GoImportPath)))
		}
	}
}

// reserveFile takes the names that protoc-gen-go declares at package level for f.
func reserveFile(taken scope, f *protogen.File) {
	taken.reserve(f.GoDescriptorIdent.GoName)
	for _, e := range f.Enums {
		reserveEnum(taken, e)
	}
	for _, m := range f.Messages {
		reserveMessage(taken, m)
	}
	for _, x := range f.Extensions {
		taken.reserve(x.GoIdent.GoName)
	}
}

func reserveEnum(taken scope, e *protogen.Enum) {
	name := e.GoIdent.GoName
	taken.reserve(name, name+"_name", name+"_value")
	for _, v := range e.Values {
		taken.reserve(v.GoIdent.GoName)
	}
}

func reserveMessage(taken scope, m *protogen.Message) {
	name := m.GoIdent.GoName
	taken.reserve(name)
	for _, field := range m.Fields {
		if field.Desc.HasDefault() {
			taken.reserve("Default_" + name + "_" + field.GoName)
		}
		if field.Oneof != nil && !field.Oneof.Desc.IsSynthetic() {
			taken.reserve(field.GoIdent.GoName) // the wrapper type
		}
	}
	for _, oneof := range m.Oneofs {
		taken.reserve("is" + oneof.GoIdent.GoName)
	}
	if m.APILevel != gofeaturespb.GoFeatures_API_OPEN {
		reserveOpaque(taken, m)
	}
	for _, e := range m.Enums {
		reserveEnum(taken, e)
	}
	for _, nested := range m.Messages {
		reserveMessage(taken, nested)
	}
	for _, x := range m.Extensions {
		taken.reserve(x.GoIdent.GoName)
	}
}

// reserveOpaque takes what the hybrid and opaque APIs declare for a message
// beyond the open one: a builder, and for each oneof a type and its constants.
func reserveOpaque(taken scope, m *protogen.Message) {
	name := m.GoIdent.GoName
	taken.reserve(name + "_builder")
	for _, oneof := range m.Oneofs {
		if oneof.Desc.IsSynthetic() {
			continue
		}
		taken.reserve("case_"+name+"_"+oneof.GoName, name+"_"+oneof.GoName+"_not_set_case")
		for _, field := range oneof.Fields {
			taken.reserve(name+"_"+field.GoName+"_case", unexported(field.GoIdent.GoName))
		}
	}
}

// unexported lowers the first letter of a Go name; protogen's names are ASCII.
func unexported(name string) string {
	return strings.ToLower(name[:1]) + name[1:]
}

// wireName is the service's name in request paths.
func (o Options) wireName(service *protogen.Service) protoreflect.FullName {
	if name, ok := o.ServiceNames[service.Desc.FullName()]; ok {
		return name
	}
	return service.Desc.FullName()
}
