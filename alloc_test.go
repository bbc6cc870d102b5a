package yodel

import (
	"testing"
	"unsafe"
)

// A call's memory on a server is one allocation: this is the class of sizes
// that it is in.
func TestServerCallSize(t *testing.T) {
	if size := unsafe.Sizeof(serverCall{}); size > 384 {
		t.Errorf("a serverCall has %d bytes, more than 384", size)
	}
}
