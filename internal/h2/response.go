package h2

import "github.com/yodelrpc/yodel/metadata"

// Response is a checked header section of a response.
type Response struct {
	// Status is 100 to 999. Below 200 it is interim, and another section
	// follows.
	Status int
	// ContentLength is -1 if absent.
	ContentLength int64
	// Fields are the regular fields: the rest of the slice that was checked.
	Fields []metadata.Field
}

// CheckResponse checks the header section of a response (RFC 9113 §8.3.2). The
// error is a *FieldError.
func CheckResponse(fields []metadata.Field) (Response, error) {
	r := Response{ContentLength: -1}
	if len(fields) == 0 || fields[0].Name != ":status" {
		return Response{}, malformed("", "it does not start with :status (RFC 9113 §8.3.2)")
	}
	v := fields[0].Value
	if len(v) != 3 || v[0] == '0' || !all(v, inDigits) {
		return Response{}, malformed(":status", "is not three digits")
	}
	r.Status = int(v[0]-'0')*100 + int(v[1]-'0')*10 + int(v[2]-'0')
	if r.Status == 101 {
		return Response{}, malformed(":status", "is 101, which HTTP/2 does not have (RFC 9113 §8.6)")
	}
	r.Fields = fields[1:]
	for i := range r.Fields {
		f := &r.Fields[i]
		if isPseudo(f.Name) {
			return Response{}, malformed(f.Name, "is a second, a late or an unknown pseudo-header field (RFC 9113 §8.3)")
		}
		if err := checkField(f); err != nil {
			return Response{}, err
		}
		if f.Name == "content-length" {
			n, err := contentLength(f, r.ContentLength)
			if err != nil {
				return Response{}, err
			}
			r.ContentLength = n
		}
	}
	return r, nil
}
