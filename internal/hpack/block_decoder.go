package hpack

// blockDecoder is a Decoder on its way through one block.
type blockDecoder struct {
	*Decoder
	fields []Field
	// lim is what is left of the limits; over tells that they were passed.
	lim  Limits
	over bool
	// bytes collects the literal strings that enter no table, and literals says
	// which fields they belong to, in order: they become one string at the end.
	bytes    []byte
	literals []literal
}

// literal is a field of which the value, and maybe the name, are in bytes.
type literal struct {
	field int
	// name is -1 if the name is in a table; both are lengths.
	name, value int
}

// stringLiteral is a string as it is in the block (RFC 7541 §5.2).
type stringLiteral struct {
	raw   []byte
	coded bool
}

// bound returns a length that s cannot pass.
func (s stringLiteral) bound() int {
	if s.coded {
		return maxHuffmanDecoded(len(s.raw))
	}
	return len(s.raw)
}

// length returns the length of s, having checked it.
func (s stringLiteral) length() (n int, ok bool) {
	if s.coded {
		return huffmanDecodedLength(s.raw)
	}
	return len(s.raw), true
}

// appendTo appends s to dst; n is its length or its bound.
func (s stringLiteral) appendTo(dst []byte, n int) (_ []byte, ok bool) {
	if s.coded {
		return appendHuffmanDecoded(dst, s.raw, n)
	}
	return append(dst, s.raw...), true
}

// representation decodes what starts at block[pos], and returns where it ends.
func (b *blockDecoder) representation(block []byte, pos int) (next int, text string) {
	switch first := block[pos]; {
	case first >= 0x80:
		return b.indexed(block, pos)
	case first >= 0x40:
		return b.literal(block, pos, 6, true, false)
	case first >= 0x20:
		return pos, textUpdateLate
	default:
		return b.literal(block, pos, 4, false, first >= 0x10)
	}
}

// indexed decodes an indexed field (RFC 7541 §6.1).
func (b *blockDecoder) indexed(block []byte, pos int) (next int, text string) {
	index, next, text := readInteger(block, pos, 7)
	if text != "" {
		return pos, text
	}
	if index == 0 {
		return pos, textIndexZero
	}
	name, value, ok := b.field(int(index))
	if !ok {
		return pos, textIndexUnknown
	}
	if b.admit(len(name) + len(value)) {
		b.fields = append(b.fields, Field{Name: name, Value: value})
	}
	return next, ""
}

// admit takes a field with that many bytes off the limits, and tells whether it
// is still inside.
func (b *blockDecoder) admit(size int) bool {
	size += FieldOverhead
	if b.over || b.lim.Fields <= 0 || size > b.lim.Bytes {
		b.over = true
		return false
	}
	b.lim.Bytes -= size
	b.lim.Fields--
	return true
}

// literal decodes a literal field (RFC 7541 §6.2), whose first integer has that
// many bits of prefix. insert tells that it enters the table.
func (b *blockDecoder) literal(block []byte, pos int, prefix uint, insert, sensitive bool) (next int, text string) {
	index, next, text := readInteger(block, pos, prefix)
	if text != "" {
		return pos, text
	}
	var name string
	var nameLiteral, value stringLiteral
	if index == 0 {
		if nameLiteral, next, text = readString(block, next); text != "" {
			return pos, text
		}
	} else {
		var ok bool
		if name, _, ok = b.field(int(index)); !ok {
			return pos, textIndexUnknown
		}
	}
	if value, next, text = readString(block, next); text != "" {
		return pos, text
	}
	if !b.store(index != 0, name, nameLiteral, value, insert, sensitive) {
		return pos, textHuffman
	}
	return next, ""
}

func readString(block []byte, pos int) (s stringLiteral, next int, text string) {
	if pos >= len(block) {
		return s, pos, textTruncated
	}
	s.coded = block[pos] >= 0x80
	length, next, text := readInteger(block, pos, 7)
	if text != "" {
		return s, pos, text
	}
	if uint64(length) > uint64(len(block)-next) {
		return s, pos, textTruncated
	}
	s.raw = block[next : next+int(length)]
	return s, next + int(length), ""
}

// store decodes the strings of a literal field to where they are needed: in the
// table, in the fields, in both or nowhere. It stores no byte of a string that
// neither has room for. ok is false if a string is not valid.
func (b *blockDecoder) store(named bool, name string, nameLiteral, value stringLiteral, insert, sensitive bool) (ok bool) {
	nameLen, valueLen := len(name), value.bound()
	if !named {
		nameLen = nameLiteral.bound()
	}
	size := nameLen + valueLen + FieldOverhead
	if b.over || size > b.lim.Bytes || insert && size > int(b.table.max) {
		// The bounds do not say whether there is room: measure, without storing.
		if valueLen, ok = value.length(); !ok {
			return false
		}
		if !named {
			if nameLen, ok = nameLiteral.length(); !ok {
				return false
			}
		}
		size = nameLen + valueLen + FieldOverhead
	}
	fits := insert && size <= int(b.table.max)
	if insert && !fits {
		// An entry larger than the table empties it (RFC 7541 §4.4).
		b.table.shrink(0)
		b.generation++
	}
	keep := !b.over && b.lim.Fields > 0 && size <= b.lim.Bytes
	if !keep {
		b.over = true
		if !fits {
			return true
		}
	}

	start := len(b.bytes)
	if !named {
		if b.bytes, ok = nameLiteral.appendTo(b.bytes, nameLen); !ok {
			return false
		}
	}
	middle := len(b.bytes)
	if b.bytes, ok = value.appendTo(b.bytes, valueLen); !ok {
		return false
	}
	f := Field{Name: name, Sensitive: sensitive}
	if fits {
		// Strings of their own: a part of the block's one string would keep all
		// of it for as long as the entry lives.
		if !named {
			f.Name = string(b.bytes[start:middle])
		}
		f.Value = string(b.bytes[middle:])
		b.bytes = b.bytes[:start]
		b.table.insert(f.Name, f.Value)
		b.generation++
		if keep {
			b.admit(len(f.Name) + len(f.Value))
			b.fields = append(b.fields, f)
		}
		return true
	}
	l := literal{field: len(b.fields), name: middle - start, value: len(b.bytes) - middle}
	if named {
		l.name = -1
	}
	b.admit(len(name) + len(b.bytes) - start)
	b.literals = append(b.literals, l)
	b.fields = append(b.fields, f)
	return true
}

// finish gives the literal fields their strings, and returns all fields.
func (b *blockDecoder) finish() []Field {
	rest := string(b.bytes)
	for _, l := range b.literals {
		f := &b.fields[l.field]
		if l.name >= 0 {
			f.Name, rest = rest[:l.name], rest[l.name:]
		}
		f.Value, rest = rest[:l.value], rest[l.value:]
	}
	return b.fields
}
