// Package buffer lends byte slices: whoever needs room takes it for as long as
// the bytes are in use and gives it back, so that idle connections hold none.
//
// The pools are process-wide and hold plain memory only, so they are harmless
// in testing/synctest bubbles.
package buffer

import (
	"math/bits"
	"strings"
	"sync"
	"unsafe"
)

const (
	minShift = 9  // 512 B
	maxShift = 23 // 8 MiB; anything larger is left to the garbage collector
)

var pools [maxShift - minShift + 1]sync.Pool

// Get lends an empty slice with room for at least n bytes. Its spare capacity
// holds old bytes.
func Get(n int) []byte {
	if n > 1<<maxShift {
		return make([]byte, 0, n)
	}
	class := classOf(n)
	if p, ok := pools[class].Get().(*byte); ok {
		return unsafe.Slice(p, 1<<(class+minShift))[:0]
	}
	return make([]byte, 0, 1<<(class+minShift))
}

// Make returns an empty slice with room for n bytes, one at least, that is not
// lent: it is the caller's. Like Get's, its spare capacity may hold old bytes.
func Make(n int) []byte {
	var b strings.Builder // make would clear the memory
	b.Grow(n)
	b.WriteByte(0)
	return unsafe.Slice(unsafe.StringData(b.String()), n)[:0]
}

// Put gives b back. Neither b nor any slice of the same memory may be used
// afterwards. Slices that did not come from Get are accepted and dropped.
func Put(b []byte) {
	size := cap(b)
	if size < 1<<minShift || size > 1<<maxShift || size&(size-1) != 0 {
		return
	}
	b = b[:size]
	pools[classOf(size)].Put(unsafe.SliceData(b))
}

// Grow returns b with room for n more bytes: b itself, or a larger slice that
// holds b's bytes, in which case b still belongs to the caller.
func Grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	return append(Get(max(len(b)+n, 2*cap(b))), b...)
}

func classOf(n int) int {
	if n <= 1<<minShift {
		return 0
	}
	return bits.Len(uint(n-1)) - minShift
}
