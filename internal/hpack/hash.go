package hpack

import "math/bits"

// hashString mixes s into h. It is for finding fields among a few, and needs
// neither secrecy nor resistance: a collision costs a comparison, and tables
// hold 128 fields at most.
func hashString(h uint64, s string) uint64 {
	const k0, k1 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93
	h ^= uint64(len(s)) * k0
	for len(s) >= 8 {
		h = fold(h^load64(s), k1)
		s = s[8:]
	}
	var tail uint64
	switch {
	case len(s) >= 4:
		tail = uint64(load32(s)) | uint64(load32(s[len(s)-4:]))<<32
	case len(s) > 0:
		tail = uint64(s[0]) | uint64(s[len(s)/2])<<8 | uint64(s[len(s)-1])<<16
	}
	return fold(h^tail, k0)
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func load32(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}
