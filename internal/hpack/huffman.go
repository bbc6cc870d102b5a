package hpack

import "encoding/binary"

const (
	// eos is the symbol that ends nothing: only its first bits may occur, as
	// padding (RFC 7541 §5.2).
	eos = 256
	// maxCode is the length in bits of the longest codes, EOS among them.
	maxCode = 30
	// shortCode is the length in bits up to which a code is looked up in one
	// step. Every letter, digit and most of what else is in headers is shorter.
	shortCode = 8
	// shortRun is how many short codes 56 bits hold at least.
	shortRun = 7
)

// codeLengths has the length in bits of each symbol's code (RFC 7541 Appendix
// B). The code is canonical: shorter codes come first, and those of one length
// count up in the order of their symbols, so the lengths say it all.
var codeLengths = [eos + 1]uint8{
	13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
	28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
	6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
	5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
	13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
	7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
	15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
	6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
	20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
	24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
	22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
	21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
	26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
	19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
	20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
	26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
	30,
}

// huffmanCode is what encoding and decoding look up.
type huffmanCode struct {
	// codes has each symbol's code, above 8 bits with its length.
	codes [eos + 1]uint64
	// short has, for the next 8 bits, the symbol, above 8 bits with the length of
	// its code; 0 says that the code is longer.
	short [1 << shortCode]uint16
	// long has what is longer, by rising length, without the lengths that no
	// code has.
	long [longLengths]longCodes
	// symbols has the symbols in the order of their codes.
	symbols [eos + 1]uint16
}

// longCodes are the codes of one length.
type longCodes struct {
	// first is the first of these codes, and end the one after the last,
	// followed by zeros to 30 bits.
	first, end uint32
	length     uint8
	// base is where the first one's symbol is in symbols.
	base uint16
}

// longLengths is how many different lengths above shortCode there are.
const longLengths = 17

var huffman = buildHuffman()

func buildHuffman() (h huffmanCode) {
	var code uint32
	var ordered uint16
	long := 0
	for length := uint8(1); length <= maxCode; length++ {
		code <<= 1
		first, base := code, ordered
		for symbol, l := range codeLengths {
			if l != length {
				continue
			}
			h.codes[symbol] = uint64(code)<<8 | uint64(length)
			h.symbols[ordered] = uint16(symbol)
			if length <= shortCode {
				free := shortCode - length
				for low := range uint32(1) << free {
					h.short[code<<free|low] = uint16(symbol)<<8 | uint16(length)
				}
			}
			code++
			ordered++
		}
		if length > shortCode && ordered > base {
			pad := maxCode - length
			h.long[long] = longCodes{first: first << pad, end: code << pad, length: length, base: base}
			long++
		}
	}
	return h
}

// huffmanLength returns how many bytes s takes when it is coded.
func huffmanLength(s string) int {
	bits := 0
	for i := range len(s) {
		bits += int(codeLengths[s[i]])
	}
	return (bits + 7) / 8
}

// appendHuffman appends s coded.
func appendHuffman(dst []byte, s string) []byte {
	var acc uint64
	var n uint // how many low bits of acc are not yet written: fewer than 32
	for i := range len(s) {
		code := huffman.codes[s[i]]
		length := uint(code) & 63
		acc = acc<<length | code>>8
		n += length
		if n >= 32 {
			n -= 32
			dst = binary.BigEndian.AppendUint32(dst, uint32(acc>>(n&63)))
		}
	}
	if pad := -n & 7; pad != 0 {
		acc = acc<<pad | (1<<pad - 1)
		n += pad
	}
	for n > 0 {
		n -= 8
		dst = append(dst, byte(acc>>n))
	}
	return dst
}

// maxHuffmanDecoded bounds how many bytes n coded bytes hold: the shortest code
// takes 5 bits.
func maxHuffmanDecoded(n int) int { return n * 8 / 5 }

// huffmanReader decodes one string, a buffer at a time.
type huffmanReader struct {
	src []byte
	// acc has the next n bits at its top. What is below them is zero or equals
	// the bits that come next.
	acc uint64
	n   uint
}

// read decodes into dst until it is full or the string has ended, and returns
// how many bytes it decoded. ok is false if the string is not valid (RFC 7541
// §5.2), done true when it has been read to its end.
func (r *huffmanReader) read(dst []byte) (decoded int, done, ok bool) {
	src, acc, n := r.src, r.acc, r.n
	for len(src) >= 8 && len(dst)-decoded >= shortRun {
		acc |= binary.BigEndian.Uint64(src) >> (n & 63)
		src = src[(63-n)>>3:]
		n |= 56
		run := dst[decoded : decoded+shortRun]
		i := 0
		for i < shortRun {
			e := huffman.short[acc>>(64-shortCode)]
			if e == 0 {
				break
			}
			run[i] = byte(e >> 8)
			i++
			acc <<= e & 63
			n -= uint(e & 63)
		}
		decoded += i
		if i < shortRun && n >= maxCode {
			symbol, length := longSymbol(acc)
			if symbol == eos {
				return decoded, true, false
			}
			dst[decoded] = byte(symbol)
			decoded++
			acc <<= length
			n -= length
		}
	}
	r.src, r.acc, r.n = src, acc, n
	return r.readEnd(dst, decoded)
}

// readEnd goes on with read, symbol by symbol, near the end of the string or of
// dst.
func (r *huffmanReader) readEnd(dst []byte, decoded int) (_ int, done, ok bool) {
	src, acc, n := r.src, r.acc, r.n
	for {
		for n < 56 && len(src) > 0 {
			acc = acc&^(1<<(64-n)-1) | uint64(src[0])<<(56-n)
			src = src[1:]
			n += 8
		}
		if n == 0 {
			return decoded, true, true
		}
		padded := acc | (1<<(64-n) - 1)
		if n < 8 && padded == 1<<64-1 {
			return decoded, true, true
		}
		e := huffman.short[padded>>(64-shortCode)]
		symbol, length := e>>8, uint(e&0xff)
		if length == 0 {
			symbol, length = longSymbol(padded)
		}
		if length > n || symbol == eos {
			return decoded, true, false
		}
		if decoded == len(dst) {
			r.src, r.acc, r.n = src, acc, n
			return decoded, false, true
		}
		dst[decoded] = byte(symbol)
		decoded++
		acc <<= length
		n -= length
	}
}

// longSymbol returns the symbol whose code is at the top of acc, and the length
// of that code.
func longSymbol(acc uint64) (symbol uint16, length uint) {
	top := uint32(acc >> (64 - maxCode))
	for i := range huffman.long {
		l := &huffman.long[i]
		if top < l.end {
			return huffman.symbols[uint32(l.base)+(top-l.first)>>(maxCode-l.length)], uint(l.length)
		}
	}
	return eos, maxCode
}

// huffmanDecodedLength checks a coded string and returns how many bytes it
// holds, without storing them.
func huffmanDecodedLength(src []byte) (length int, ok bool) {
	var window [128]byte
	r := huffmanReader{src: src}
	for {
		n, done, ok := r.read(window[:])
		length += n
		if done || !ok {
			return length, ok
		}
	}
}

// huffmanDecode writes what a coded string holds to dst, which has room for it,
// and returns how many bytes that is. ok is false if the string is not valid.
func huffmanDecode(dst, src []byte) (n int, ok bool) {
	r := huffmanReader{src: src}
	n, _, ok = r.read(dst)
	return n, ok
}
