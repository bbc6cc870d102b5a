package http2

import (
	"testing"

	"github.com/yodelrpc/yodel/internal/frame"
)

// TestHeadsOnly would break if little was read at a time because frames are large, although
// they are full of small messages, or if much was, of large messages that can be read to
// where they belong.
func TestHeadsOnly(t *testing.T) {
	large := frame.Head{Type: frame.TypeData, Length: 64 << 10}
	var r aiming
	tries := func(frames int) (n int) {
		for range frames {
			r.expect(frame.Head{Type: frame.TypeHeaders, Length: 64 << 10})
			if r.readRoom() != readSize {
				t.Error("after a HEADERS frame, little is read")
			}
			if r.expect(large); r.readRoom() == headsSize {
				n++
			}
		}
		return n
	}
	if n := tries(fewMissed); n != fewMissed {
		t.Errorf("of the first %d large frames, %d are given the chance to be read to where they belong", fewMissed, n)
	}
	if n := tries(100 * triesAgain); n < 50 || n > 150 {
		t.Errorf("of 100 times %d large frames that are not, %d are given it", triesAgain, n)
	}
	r.aim(make([]byte, 60<<10), 100)
	if n := tries(fewMissed); n != fewMissed {
		t.Errorf("after one that was, %d of %d are given it", n, fewMissed)
	}
	r.expect(frame.Head{Type: frame.TypeData, Length: 16 << 10})
	if r.aim(nil, exactSize); r.readRoom() != headsSize {
		t.Error("among the frames of a very large message, much is read")
	}
}
