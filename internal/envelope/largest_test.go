package envelope

import (
	"math"
	"testing"
)

// With no limit a prefix may say more than an int can count where that has 32
// bits (GOARCH=386): a demand that is negative wakes its reader for ever, for a
// message that is never there.
func TestLargestPrefix(t *testing.T) {
	for _, size := range []uint32{math.MaxInt32 - PrefixLen - 1, math.MaxInt32, math.MaxUint32} {
		b := envelopeOf(0, size, "")
		_, n, err := Parse(b, math.MaxInt)
		one, only := OneMessage(math.MaxInt)(b), OnlyMessage(math.MaxInt)(b)
		switch {
		case n != 0:
			t.Errorf("a message of %d bytes is there", size)
		case err == nil && (one <= len(b) || only <= len(b)):
			t.Errorf("the readers of a message of %d bytes wait for %d and %d", size, one, only)
		case err != nil && (one != 0 || only != 0):
			t.Errorf("the readers of a message of %d bytes, which is none, wait for %d and %d", size, one, only)
		}
	}
}
