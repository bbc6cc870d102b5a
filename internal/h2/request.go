package h2

import "github.com/yodelrpc/yodel/metadata"

// Request is a checked header section of a request.
type Request struct {
	Method, Scheme, Path string
	// Authority is the one authority of the request, never empty, from
	// :authority or else from host.
	Authority string
	// ContentLength is -1 if absent.
	ContentLength int64
	// Fields are the regular fields: the rest of the slice that was checked,
	// without host.
	Fields []metadata.Field
}

// CheckRequest checks the header section of a request (RFC 9113 §8.3.1, gRFC
// A41). It takes host fields out of the slice, moving later ones up. The error
// is a *FieldError; its Status is 400 where the authority is at fault.
func CheckRequest(fields []metadata.Field) (Request, error) {
	r := Request{ContentLength: -1}
	n, err := r.readPseudo(fields)
	if err != nil {
		return Request{}, err
	}
	r.Fields = fields[n:]
	if err := r.readRegular(); err != nil {
		return Request{}, err
	}
	if err := r.checkTarget(); err != nil {
		return Request{}, err
	}
	return r, nil
}

// CheckMore checks the rest of a request's or response's section whose start was
// checked before and had that content-length, or -1. It returns the section's
// content-length and the rest without host, which the authority of the start
// replaces (gRFC A41); it moves later fields up. The error is a *FieldError.
func CheckMore(contentLength int64, rest []metadata.Field) (int64, []metadata.Field, error) {
	r := Request{Authority: "known", ContentLength: contentLength, Fields: rest}
	if err := r.readRegular(); err != nil {
		return contentLength, nil, err
	}
	return r.ContentLength, r.Fields, nil
}

// readPseudo reads the pseudo-header fields, which come first, and returns how
// many there are.
func (r *Request) readPseudo(fields []metadata.Field) (int, error) {
	for i := range fields {
		f := &fields[i]
		if !isPseudo(f.Name) {
			return i, nil
		}
		var into *string
		class := uint8(inToken)
		switch f.Name {
		case ":method":
			into = &r.Method
		case ":scheme":
			into, class = &r.Scheme, inScheme
		case ":path":
			into, class = &r.Path, inPath
		case ":authority":
			if r.Authority != "" {
				return 0, badRequest(f.Name, "occurs twice (gRFC A41)")
			}
			into, class = &r.Authority, inAuthority
		default:
			return 0, malformed(f.Name, "is not a pseudo-header field of a request (RFC 9113 §8.3)")
		}
		if *into != "" {
			return 0, malformed(f.Name, "occurs twice (RFC 9113 §8.3)")
		}
		if f.Value == "" || !all(f.Value, class) {
			return 0, &FieldError{Name: f.Name, Text: "is empty or has a character that may not be there", Status: statusFor(class)}
		}
		*into = f.Value
	}
	return len(fields), nil
}

// statusFor is 400 for an authority: gRPC clients are told why (gRFC A41).
func statusFor(class uint8) int {
	if class == inAuthority {
		return 400
	}
	return 0
}

// readRegular checks the regular fields and takes host out of them.
func (r *Request) readRegular() error {
	host, hosts := "", 0
	for i := range r.Fields {
		f := &r.Fields[i]
		if isPseudo(f.Name) {
			return malformed(f.Name, "comes after a regular field (RFC 9113 §8.3)")
		}
		if err := checkField(f); err != nil {
			return err
		}
		switch f.Name {
		case "host":
			host = f.Value
			hosts++
		case "content-length":
			n, err := contentLength(f, r.ContentLength)
			if err != nil {
				return err
			}
			r.ContentLength = n
		}
	}
	if hosts == 0 {
		return nil
	}
	if hosts > 1 {
		return badRequest("host", "occurs twice (gRFC A41)")
	}
	r.dropHost()
	if r.Authority == "" {
		if !all(host, inAuthority) {
			return badRequest("host", "has a character that may not be there")
		}
		r.Authority = host
	}
	return nil
}

func (r *Request) dropHost() {
	for i := range r.Fields {
		if r.Fields[i].Name == "host" {
			copy(r.Fields[i:], r.Fields[i+1:])
			r.Fields = r.Fields[:len(r.Fields)-1]
			return
		}
	}
}

// checkTarget checks what the fields must be together.
func (r *Request) checkTarget() error {
	switch {
	case r.Method == "":
		return malformed(":method", "is missing (RFC 9113 §8.3.1)")
	case r.Method == "CONNECT":
		// RFC 9113 §8.5.
		if r.Scheme != "" || r.Path != "" {
			return malformed(":method", "is CONNECT, which has no :scheme and no :path (RFC 9113 §8.5)")
		}
	case r.Scheme == "":
		return malformed(":scheme", "is missing (RFC 9113 §8.3.1)")
	case r.Path == "":
		return malformed(":path", "is missing (RFC 9113 §8.3.1)")
	case r.Path[0] != '/' && (r.Path != "*" || r.Method != "OPTIONS"):
		// CVE-2026-33186: a path without a slash is not the one that rules
		// were written for.
		return malformed(":path", "is not absolute (RFC 9113 §8.3.1)")
	}
	if r.Authority == "" {
		// CVE-2026-84445: nothing behind this check need ask again.
		return badRequest(":authority", "is missing, and so is host (gRFC A41)")
	}
	return nil
}
