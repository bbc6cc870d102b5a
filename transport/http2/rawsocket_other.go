//go:build !unix

package http2

import (
	"net"
	"sync"
	"syscall"
)

// rawSocket is for systems whose sockets can be polled; here there are none.
type rawSocket struct{ refs *sync.Mutex }

func newRawSocket(net.Conn) *rawSocket { return nil }

func dozeOn(net.Conn) syscall.RawConn { return nil }

func waitReadable(syscall.RawConn) { panic("unreachable: dozeOn returned nil") }

func (*rawSocket) read(*reader) (int, error) { panic("unreachable: newRawSocket returned nil") }

func (*rawSocket) poll(*reader) (int, error) { panic("unreachable: newRawSocket returned nil") }

func (*rawSocket) write(*pending, bool) (int, error) { panic("unreachable: newRawSocket returned nil") }
