package generator

import (
	"google.golang.org/protobuf/compiler/protogen"
)

func (s *stub) writeClient(g *protogen.GeneratedFile) {
	opening := s.client + " calls the service " + s.wireName + ". It is safe for concurrent use."
	g.P(docComment(opening, s.service.Comments.Leading, serviceDeprecated(s.service)), "type ", s.client, " interface {")
	g.AnnotateSymbol(s.client, protogen.Annotation{Location: s.service.Location})
	for i := range s.calls {
		c := &s.calls[i]
		g.AnnotateSymbol(s.client+"."+c.methodNames.method, protogen.Annotation{Location: c.method.Location})
		methodDoc(g, c.method)
		g.P(s.clientSignature(g, c))
	}
	g.P("}")
	g.P()

	opening = s.newClient + " returns a client of the service " + s.wireName + " whose calls go through " + s.locals.caller + "."
	g.P(docComment(opening, "", serviceDeprecated(s.service)),
		"func ", s.newClient, "(", s.locals.caller, " ", yodelPackage.Ident("Caller"), ") ", s.client, " {")
	g.P("return &", s.clientType, "{", s.locals.caller, "}")
	g.P("}")
	g.P()
	g.P("type ", s.clientType, " struct {")
	g.P("caller ", yodelPackage.Ident("Caller"))
	g.P("}")
	g.P()
	for i := range s.calls {
		s.writeClientMethod(g, &s.calls[i])
	}
}

func (s *stub) clientSignature(g *protogen.GeneratedFile, c *call) string {
	l := &s.locals
	ctx := l.ctx + " " + g.QualifiedGoIdent(contextPackage.Ident("Context"))
	req := l.req + " *" + c.req
	opts := l.opts + " ..." + g.QualifiedGoIdent(yodelPackage.Ident("CallOption"))
	messages := "[*" + c.req + ", *" + c.res + "]"
	name := c.methodNames.method
	switch c.kind {
	case serverStream:
		return name + "(" + ctx + ", " + req + ", " + opts + ") " + g.QualifiedGoIdent(iterPackage.Ident("Seq2")) + "[*" + c.res + ", error]"
	case clientStream:
		return name + "(" + ctx + ", " + opts + ") (*" + g.QualifiedGoIdent(yodelPackage.Ident("ClientStream")) + messages + ", error)"
	case bidiStream:
		return name + "(" + ctx + ", " + opts + ") (*" + g.QualifiedGoIdent(yodelPackage.Ident("BidiStream")) + messages + ", error)"
	}
	return name + "(" + ctx + ", " + req + ", " + opts + ") (*" + c.res + ", error)"
}

func (s *stub) writeClientMethod(g *protogen.GeneratedFile, c *call) {
	l := &s.locals
	g.P("func (", l.recv, " *", s.clientType, ") ", s.clientSignature(g, c), " {")
	// Where each kind's call goes; what follows the context and the caller.
	start := []any{"(", l.ctx, ", ", l.recv, ".caller, ", c.desc, ", "}
	switch c.kind {
	case unary:
		g.P(l.res, " := new(", c.res, ")")
		g.P(append(append([]any{"if ", l.err, " := ", yodelPackage.Ident("CallUnary")}, start...),
			l.req, ", ", l.res, ", ", l.opts, "...); ", l.err, " != nil {")...)
		g.P("return nil, ", l.err)
		g.P("}")
		g.P("return ", l.res, ", nil")
	case serverStream:
		g.P(append(append([]any{"return ", yodelPackage.Ident("CallServerStream")}, start...),
			l.req, ", ", newFunc(c.res), ", ", l.opts, "...)")...)
	case clientStream:
		g.P(append(append([]any{"return ", yodelPackage.Ident("CallClientStream"), "[*", c.req, "]"}, start...),
			newFunc(c.res), ", ", l.opts, "...)")...)
	case bidiStream:
		g.P(append(append([]any{"return ", yodelPackage.Ident("CallBidiStream"), "[*", c.req, "]"}, start...),
			newFunc(c.res), ", ", l.opts, "...)")...)
	}
	g.P("}")
	g.P()
}
