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
		index := int(block[pos]) - 0x80
		if index <= 0 || index == 0x7f {
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
	var (
		bytes    [512]byte
		literals [16]literal
	)
	b := blockDecoder{
		Decoder: d, fields: dst, lim: lim,
		bytes: bytes[:0], literals: literals[:0],
	}
	for pos < len(block) {
		next, text := b.representation(block, pos)
		if text != "" {
			return dst, d.fail(text, pos)
		}
		pos = next
	}
	if b.over {
		return b.finish(), ErrTooLarge
	}
	return b.finish(), nil
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
func (d *Decoder) field(index int) (name, value string, ok bool) {
	if index <= staticCount {
		f := &staticTable[index]
		return f.Name, f.Value, true
	}
	index -= staticCount + 1
	if index >= d.table.count {
		return "", "", false
	}
	e := d.table.at(index)
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
