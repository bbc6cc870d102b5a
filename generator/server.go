package generator

import (
	"google.golang.org/protobuf/compiler/protogen"
)

func (s *stub) writeServer(g *protogen.GeneratedFile) {
	opening := s.server + " is an implementation of the service " + s.wireName + ". Its methods are called concurrently."
	g.P(docComment(opening, s.service.Comments.Leading, serviceDeprecated(s.service)), "type ", s.server, " interface {")
	g.AnnotateSymbol(s.server, protogen.Annotation{Location: s.service.Location})
	for i := range s.calls {
		c := &s.calls[i]
		g.AnnotateSymbol(s.server+"."+c.methodNames.method, protogen.Annotation{Location: c.method.Location})
		methodDoc(g, c.method)
		g.P(s.serverSignature(g, c, true))
	}
	g.P("}")
	g.P()
	s.writeRegister(g)
	s.writeUnimplemented(g)
}

// serverSignature is a method of the server interface; parameters have names
// only if named says so.
func (s *stub) serverSignature(g *protogen.GeneratedFile, c *call, named bool) string {
	param := func(name, typ string) string {
		if !named {
			return typ
		}
		return name + " " + typ
	}
	l := &s.locals
	params := param(l.ctx, g.QualifiedGoIdent(contextPackage.Ident("Context")))
	if c.kind == unary || c.kind == serverStream {
		params += ", " + param(l.req, "*"+c.req)
	} else {
		params += ", " + param(l.in, g.QualifiedGoIdent(iterPackage.Ident("Seq2"))+"[*"+c.req+", error]")
	}
	results := "(*" + c.res + ", error)"
	if c.kind == serverStream || c.kind == bidiStream {
		params += ", " + param(l.send, "func(*"+c.res+") error")
		results = "error"
	}
	return c.methodNames.method + "(" + params + ") " + results
}

func (s *stub) writeRegister(g *protogen.GeneratedFile) {
	l := &s.locals
	opening := s.register + " makes " + l.registrar + " serve " + s.wireName + " with " + l.impl + ", which must not be nil."
	g.P(docComment(opening, "", serviceDeprecated(s.service)),
		"func ", s.register, "(", l.registrar, " ", yodelPackage.Ident("Registrar"), ", ", l.impl, " ", s.server, ") {")
	g.P(l.registrar, ".Register(")
	for i := range s.calls {
		c := &s.calls[i]
		route := [...]string{
			unary: "UnaryRoute", clientStream: "ClientStreamRoute", serverStream: "ServerStreamRoute", bidiStream: "BidiStreamRoute",
		}[c.kind]
		g.P(yodelPackage.Ident(route), "(", c.desc, ", ", newFunc(c.req), ", ", l.impl, ".", c.methodNames.method, "),")
	}
	g.P(")")
	g.P("}")
	g.P()
}

func (s *stub) writeUnimplemented(g *protogen.GeneratedFile) {
	opening := s.unimplemented + " answers every method with UNIMPLEMENTED. Embed it in an implementation\n" +
		"// that leaves methods out, or that must still compile when " + s.wireName + " gains some."
	g.P(docComment(opening, "", serviceDeprecated(s.service)), "type ", s.unimplemented, " struct{}")
	g.P()
	for i := range s.calls {
		c := &s.calls[i]
		result := "nil, "
		if c.kind == serverStream || c.kind == bidiStream {
			result = ""
		}
		g.P("func (", s.unimplemented, ") ", s.serverSignature(g, c, false), " {")
		g.P("return ", result, yodelPackage.Ident("Unimplemented"), "(", c.desc, ")")
		g.P("}")
		g.P()
	}
	g.P("var _ ", s.server, " = ", s.unimplemented, "{}")
	g.P()
}
