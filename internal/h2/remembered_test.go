package h2

import "testing"

// A connection that has had many streams remembers 1 KiB of them.
func TestRememberedStreamsAreBounded(t *testing.T) {
	ids := NewStreamIDs(Server, 0)
	for i := range uint32(10_000) {
		ids.Closed(2*i+1, i%2 == 0)
	}
	if bytes := 4 * cap(ids.closed); bytes > 1<<10 {
		t.Errorf("the closed streams take %d bytes", bytes)
	}
}
