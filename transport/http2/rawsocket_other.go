//go:build !unix

package http2

import (
	"net"
	"sync"
)

// rawSocket is for systems whose sockets can be polled; here there are none.
type rawSocket struct{ refs *sync.Mutex }

func newRawSocket(net.Conn) *rawSocket { return nil }

func (*rawSocket) read(*reader) (int, error) { panic("unreachable: newRawSocket returned nil") }

func (*rawSocket) wait() { panic("unreachable: newRawSocket returned nil") }

func (*rawSocket) poll(*reader) (int, error) { panic("unreachable: newRawSocket returned nil") }

func (*rawSocket) write(*pending, bool) (int, error) { panic("unreachable: newRawSocket returned nil") }
