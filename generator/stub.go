package generator

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/descriptorpb"
)

const (
	contextPackage = protogen.GoImportPath("context")
	iterPackage    = protogen.GoImportPath("iter")
	yodelPackage   = protogen.GoImportPath("github.com/yodelrpc/yodel")
)

// stub is one service, ready to be written: every name in it is Go source.
type stub struct {
	service *protogen.Service
	serviceNames
	wireName string
	calls    []call
	locals   locals
}

// call is one method of a stub.
type call struct {
	method *protogen.Method
	methodNames
	kind     callKind
	req, res string // the messages' types, without the pointer's star
}

type callKind int

const (
	unary callKind = iota
	clientStream
	serverStream
	bidiStream
)

func kindOf(m *protogen.Method) callKind {
	switch {
	case m.Desc.IsStreamingClient() && m.Desc.IsStreamingServer():
		return bidiStream
	case m.Desc.IsStreamingClient():
		return clientStream
	case m.Desc.IsStreamingServer():
		return serverStream
	}
	return unary
}

// constant is the name of the runtime's constant for k.
func (k callKind) constant() string {
	return [...]string{unary: "UnaryKind", clientStream: "ClientStreamKind", serverStream: "ServerStreamKind", bidiStream: "BidiStreamKind"}[k]
}

// newStub resolves a service's names. It adds the names under which the file
// imports packages to imports.
func newStub(g *protogen.GeneratedFile, service *protogen.Service, names serviceNames, wireName string, imports scope) stub {
	ident := func(id protogen.GoIdent) string {
		s := g.QualifiedGoIdent(id)
		if pkg, _, ok := strings.Cut(s, "."); ok {
			imports.reserve(pkg)
		}
		return s
	}
	s := stub{service: service, serviceNames: names, wireName: wireName}
	for i, method := range service.Methods {
		s.calls = append(s.calls, call{
			method:      method,
			methodNames: names.methods[i],
			kind:        kindOf(method),
			req:         ident(method.Input.GoIdent),
			res:         ident(method.Output.GoIdent),
		})
	}
	return s
}

// locals are the names of receivers, parameters and variables. They must not
// hide a package whose messages the same function mentions.
type locals struct {
	recv, ctx, req, opts, res, err, caller, registrar, impl, in, send string
}

var stubLocals = locals{
	recv: "c", ctx: "ctx", req: "req", opts: "opts", res: "resp", err: "err",
	caller: "caller", registrar: "r", impl: "impl", in: "in", send: "send",
}

// avoid returns l with underscores appended to the names that are in imports.
func (imports scope) avoid(l locals) locals {
	for _, name := range []*string{
		&l.recv, &l.ctx, &l.req, &l.opts, &l.res, &l.err, &l.caller, &l.registrar, &l.impl, &l.in, &l.send,
	} {
		for imports[*name] {
			*name += "_"
		}
	}
	return l
}

func (s *stub) write(g *protogen.GeneratedFile) {
	s.writeMethods(g)
	s.writeClient(g)
	s.writeServer(g)
}

// writeMethods writes the descriptions of the methods, which both sides use.
func (s *stub) writeMethods(g *protogen.GeneratedFile) {
	if len(s.calls) == 0 {
		return
	}
	g.P("// The methods of the service ", s.wireName, ".")
	g.P("var (")
	for i := range s.calls {
		c := &s.calls[i]
		g.P("// ", c.desc, " is the method /", s.wireName, "/", c.method.Desc.Name(), ".")
		g.AnnotateSymbol(c.desc, protogen.Annotation{Location: c.method.Location})
		g.P(c.desc, " = &", yodelPackage.Ident("Method"), "{")
		g.P("Service: ", strconv.Quote(s.wireName), ",")
		g.P("Name: ", strconv.Quote(string(c.method.Desc.Name())), ",")
		g.P("Kind: ", yodelPackage.Ident(c.kind.constant()), ",")
		writeIdempotency(g, c.method)
		g.P("}")
	}
	g.P(")")
	g.P()
}

// writeIdempotency writes what the .proto promises about repeating a call.
// NO_SIDE_EFFECTS implies idempotent (descriptor.proto, IdempotencyLevel).
func writeIdempotency(g *protogen.GeneratedFile, m *protogen.Method) {
	options, _ := m.Desc.Options().(*descriptorpb.MethodOptions)
	switch options.GetIdempotencyLevel() {
	case descriptorpb.MethodOptions_NO_SIDE_EFFECTS:
		g.P("NoSideEffects: true,")
		g.P("Idempotent: true,")
	case descriptorpb.MethodOptions_IDEMPOTENT:
		g.P("Idempotent: true,")
	}
}

// newFunc is the source of a function that makes an empty message.
func newFunc(message string) string {
	return "func() *" + message + " { return new(" + message + ") }"
}

// methodDoc writes the comment of a method in an interface.
func methodDoc(g *protogen.GeneratedFile, m *protogen.Method) {
	if doc := docComment("", m.Comments.Leading, methodDeprecated(m)); doc != "" {
		g.P(strings.TrimSuffix(doc, "\n"))
	}
}
