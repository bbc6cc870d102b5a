package hpack

// output is what one block has decoded to so far. It lives on the stack, with
// buffers for what most blocks hold.
type output struct {
	fields []Field
	// lim is what is left of the limits; over tells that they were passed.
	lim  Limits
	over bool
	// The first used bytes of small, or of large once that is not nil, are the
	// literal strings that enter no table: they become one string at the end.
	used  int
	large []byte
	// literals, and after them more, are the fields that those belong to, in
	// order.
	count    int
	more     []literal
	literals [12]literal
	small    [512]byte
}

// literal is a field of which the value, and maybe the name, are in bytes.
type literal struct {
	field uint32
	// nameLen is 0 if the name is in a table.
	nameLen, valueLen uint32
}

// hasRoom tells whether a field of that size is inside the limits.
func (o *output) hasRoom(size int) bool {
	return !o.over && o.lim.Fields > 0 && size <= o.lim.Bytes
}

// admit takes a field whose strings have that many bytes off the limits, and
// tells whether it is inside them.
func (o *output) admit(bytes int) bool {
	size := bytes + FieldOverhead
	if !o.hasRoom(size) {
		o.over = true
		return false
	}
	o.lim.Bytes -= size
	o.lim.Fields--
	return true
}

// space returns room for n bytes after those in use.
func (o *output) space(n int) []byte {
	end := o.used + n
	if o.large == nil {
		if end <= len(o.small) {
			return o.small[o.used:end]
		}
		o.large = make([]byte, max(end, 2*len(o.small)))
		copy(o.large, o.small[:o.used])
	} else if end > len(o.large) {
		grown := make([]byte, max(end, 2*len(o.large)))
		copy(grown, o.large[:o.used])
		o.large = grown
	}
	return o.large[o.used:end]
}

// held returns the bytes in use.
func (o *output) held() []byte {
	if o.large != nil {
		return o.large[:o.used]
	}
	return o.small[:o.used]
}

// addLiteral adds a field for which there is room, and whose strings are the
// last bytes in use.
func (o *output) addLiteral(l *literalField, nameLen, valueLen int) {
	added := literal{field: uint32(len(o.fields)), nameLen: uint32(nameLen), valueLen: uint32(valueLen)}
	if o.count < len(o.literals) {
		o.literals[o.count] = added
		o.count++
	} else {
		o.more = append(o.more, added)
	}
	o.admit(len(l.name) + nameLen + valueLen)
	o.fields = append(o.fields, Field{Name: l.name, Sensitive: l.sensitive})
}

// finish gives the literal fields their strings, and returns all fields.
func (o *output) finish() []Field {
	rest := string(o.held())
	for i := range o.count {
		rest = o.literals[i].complete(o.fields, rest)
	}
	for i := range o.more {
		rest = o.more[i].complete(o.fields, rest)
	}
	return o.fields
}

// complete gives a field its strings, from the start of rest, and returns what
// is left of it.
func (l *literal) complete(fields []Field, rest string) string {
	f := &fields[l.field]
	if l.nameLen > 0 {
		f.Name, rest = rest[:l.nameLen], rest[l.nameLen:]
	}
	f.Value = rest[:l.valueLen]
	return rest[l.valueLen:]
}
