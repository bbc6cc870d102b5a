package hpack

// Decoder decodes the header blocks that one connection receives. It is not
// safe for concurrent use.
type Decoder struct {
	table dynamicTable
	// allowed is how large the peer may make the table, in bytes.
	allowed uint32
	// updateDue tells that the peer must shrink its table before anything else.
	updateDue  bool
	generation uint64
	// broken is the first Error: after it the table means nothing.
	broken *Error
}

// NewDecoder returns a decoder for a connection on which SETTINGS_HEADER_TABLE_SIZE
// is advertised as maxTable bytes. The table starts with DefaultTableSize or
// with maxTable, whichever is less: maxTable below the default is for a peer
// that knows of it before its first block (see [Decoder.SetMaxTable]).
func NewDecoder(maxTable uint32) *Decoder {
	d := &Decoder{allowed: maxTable}
	d.table.max = min(maxTable, DefaultTableSize)
	return d
}

// SetMaxTable changes the advertised table size. Call it when the peer has
// acknowledged the SETTINGS that say so. If its table may be larger than n, its
// next block must begin by shrinking it (RFC 7541 §4.2).
func (d *Decoder) SetMaxTable(n uint32) {
	d.allowed = n
	if d.updateDue = d.table.max > n; d.updateDue {
		d.generation++
	}
}

// Generation changes whenever a block that consists of indexed fields may decode
// to something else than before: a caller that remembers what one decoded to
// may use that for an equal block as long as the generation is the same.
func (d *Decoder) Generation() uint64 { return d.generation }

// Decode appends the fields of a whole header block to dst. The block is lent;
// the fields hold no part of it.
//
// ErrTooLarge means that the block passes lim, which counts this block's fields
// only. It has been decoded to its end all the same, so that the table stays
// equal to the peer's, and the fields up to the one that passed a limit are
// returned. Any other error is an *Error. It is final: every later call returns
// it too.
func (d *Decoder) Decode(dst []Field, block []byte, lim Limits) ([]Field, error) {
	if d.broken != nil {
		return dst, d.broken
	}
	pos, text := d.readUpdates(block)
	if text != "" {
		return dst, d.fail(text, pos)
	}
	// A block that the peer has sent before is one indexed field after another.
	for pos < len(block) && lim.Fields > 0 {
		index := uint32(block[pos]) - 0x80
		if index-1 >= 0x7e {
			break
		}
		name, value, ok := d.field(index)
		size := len(name) + len(value) + FieldOverhead
		if !ok || size > lim.Bytes {
			break
		}
		dst = append(dst, Field{Name: name, Value: value})
		lim.Bytes -= size
		lim.Fields--
		pos++
	}
	if pos == len(block) {
		return dst, nil
	}
	return d.decodeRest(dst, block, pos, lim)
}

// decodeRest is a function of its own so that a block of indexed fields does not
// pay for clearing this one's buffers.
func (d *Decoder) decodeRest(dst []Field, block []byte, pos int, lim Limits) ([]Field, error) {
	out := output{fields: dst, lim: lim}
	for pos < len(block) {
		next, text := d.representation(&out, block, pos)
		if text != "" {
			return dst, d.fail(text, pos)
		}
		pos = next
	}
	fields := out.finish()
	if out.over {
		return fields, ErrTooLarge
	}
	return fields, nil
}

// representation decodes what starts at block[pos], and returns where it ends.
func (d *Decoder) representation(out *output, block []byte, pos int) (next int, text string) {
	switch first := block[pos]; {
	case first >= 0x80:
		return d.indexed(out, block, pos)
	case first >= 0x40:
		return d.literal(out, block, pos, 6, true, false)
	case first >= 0x20:
		return pos, textUpdateLate
	default:
		return d.literal(out, block, pos, 4, false, first >= 0x10)
	}
}

// indexed decodes an indexed field (RFC 7541 §6.1).
func (d *Decoder) indexed(out *output, block []byte, pos int) (next int, text string) {
	index, next, text := readInteger(block, pos, 7)
	if text != "" {
		return pos, text
	}
	if index == 0 {
		return pos, textIndexZero
	}
	name, value, ok := d.field(index)
	if !ok {
		return pos, textIndexUnknown
	}
	if out.admit(len(name) + len(value)) {
		out.fields = append(out.fields, Field{Name: name, Value: value})
	}
	return next, ""
}

// literal decodes a literal field (RFC 7541 §6.2), whose first integer has that
// many bits of prefix. insert tells that it enters the table.
func (d *Decoder) literal(out *output, block []byte, pos int, prefix uint, insert, sensitive bool) (next int, text string) {
	index, next, text := readInteger(block, pos, prefix)
	if text != "" {
		return pos, text
	}
	l := literalField{named: index != 0, insert: insert, sensitive: sensitive}
	if l.named {
		var ok bool
		if l.name, _, ok = d.field(index); !ok {
			return pos, textIndexUnknown
		}
	} else if l.nameString, next, text = readString(block, next); text != "" {
		return pos, text
	}
	if l.value, next, text = readString(block, next); text != "" {
		return pos, text
	}
	if !d.store(out, &l) {
		return pos, textHuffman
	}
	return next, ""
}

// literalField is a literal field as it is in the block.
type literalField struct {
	// named tells that the name is one of a table's; otherwise it is nameString.
	named             bool
	name              string
	nameString, value wireString
	insert, sensitive bool
}

// store decodes the strings of a literal field to where they are needed: the
// table, the fields, both or nowhere. It stores no byte of a string for which
// neither has room. ok is false if a string is not valid.
func (d *Decoder) store(out *output, l *literalField) (ok bool) {
	nameLen, valueLen := len(l.name), l.value.bound()
	if !l.named {
		nameLen = l.nameString.bound()
	}
	size := nameLen + valueLen + FieldOverhead
	if !out.hasRoom(size) || l.insert && size > int(d.table.max) {
		// The bounds do not say whether there is room: measure, without storing.
		if valueLen, ok = l.value.length(); !ok {
			return false
		}
		if !l.named {
			if nameLen, ok = l.nameString.length(); !ok {
				return false
			}
		}
		size = nameLen + valueLen + FieldOverhead
	}
	fits := l.insert && size <= int(d.table.max)
	if l.insert && !fits {
		// An entry larger than the table empties it (RFC 7541 §4.4).
		d.table.shrink(0)
		d.generation++
	}
	if !out.hasRoom(size) {
		out.over = true
		if !fits {
			return true
		}
	}

	start := out.used
	if !l.named {
		if nameLen, ok = l.nameString.decode(out.space(nameLen)); !ok {
			return false
		}
		out.used += nameLen
	}
	if valueLen, ok = l.value.decode(out.space(valueLen)); !ok {
		return false
	}
	out.used += valueLen
	if !fits {
		out.addLiteral(l, out.used-start-valueLen, valueLen)
		return true
	}
	d.insert(out, l, out.held()[start:], valueLen)
	out.used = start
	return true
}

// insert adds a literal field to the table, and to the output if that has room.
// The last valueLen of the bytes are its value, the ones before it its name
// unless that has an index.
func (d *Decoder) insert(out *output, l *literalField, bytes []byte, valueLen int) {
	// Strings of their own: a part of the block's one string would keep all of
	// it for as long as the entry lives.
	name := l.name
	if !l.named {
		name = string(bytes[:len(bytes)-valueLen])
	}
	value := string(bytes[len(bytes)-valueLen:])
	d.table.insert(name, value)
	d.generation++
	if out.admit(len(name) + len(value)) {
		out.fields = append(out.fields, Field{Name: name, Value: value})
	}
}

func (d *Decoder) fail(text string, pos int) *Error {
	d.broken = &Error{Text: text, Offset: pos}
	d.generation++
	d.table = dynamicTable{}
	return d.broken
}

// readUpdates reads the table size updates that begin a block, of which there
// may be two (RFC 7541 §4.2).
func (d *Decoder) readUpdates(block []byte) (pos int, text string) {
	for updates := 0; pos < len(block) && block[pos]&0xe0 == 0x20; updates++ {
		if updates == 2 {
			return pos, textUpdateMany
		}
		size, next, text := readInteger(block, pos, 5)
		if text != "" {
			return pos, text
		}
		if size > d.allowed {
			return pos, textUpdateLarge
		}
		if size != d.table.max {
			d.table.shrink(size)
			d.table.max = size
			d.generation++
		}
		d.updateDue = false
		pos = next
	}
	if d.updateDue && len(block) > 0 {
		return pos, textUpdateMissing
	}
	return pos, ""
}

// field returns the field with an index of the whole address space
// (RFC 7541 §2.3.3), which must not be 0.
func (d *Decoder) field(index uint32) (name, value string, ok bool) {
	if index <= staticCount {
		f := &staticTable[index]
		return f.Name, f.Value, true
	}
	index -= staticCount + 1
	if index >= uint32(d.table.count) {
		return "", "", false
	}
	e := d.table.at(int(index))
	return e.name, e.value, true
}

// IndexedPrefix returns how many bytes at the start of block are complete
// indexed fields (RFC 7541 §6.1), which change nothing in a table: what they
// decode to can be remembered, together with the [Decoder.Generation].
func IndexedPrefix(block []byte) int {
	pos := 0
	for pos < len(block) && block[pos] > 0x80 {
		if block[pos] < 0xff {
			pos++
			continue
		}
		_, next, text := readInteger(block, pos, 7)
		if text != "" {
			break
		}
		pos = next
	}
	return pos
}
