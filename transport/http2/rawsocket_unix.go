//go:build unix

package http2

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// rawSocket reads and writes a plain socket's descriptor, in order to sleep
// without a buffer, and to write without sleeping.
type rawSocket struct {
	conn syscall.RawConn
	// The callbacks are made once; their arguments and results pass through
	// the fields below.
	onRead, onPoll, onWrite func(fd uintptr) bool
	reader                  *reader
	n                       int
	err                     error
	refs                    *sync.Mutex // Conn.refs
	out                     *pending
	outWaits                bool
	outN                    int
	outErr                  error
}

// newRawSocket returns nil if nc is not a plain socket.
func newRawSocket(nc net.Conn) *rawSocket {
	conn := socketOf(nc)
	if conn == nil {
		return nil
	}
	s := &rawSocket{conn: conn}
	s.onRead, s.onPoll, s.onWrite = s.readReady, s.pollReady, s.writeReady
	return s
}

// socketOf returns the socket that nc is; nil if it is something else.
func socketOf(nc net.Conn) syscall.RawConn {
	var socket syscall.Conn
	switch plain := nc.(type) {
	case *net.TCPConn:
		socket = plain
	case *net.UnixConn:
		socket = plain
	default:
		return nil
	}
	conn, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	return conn
}

// dozeOn returns the socket to wait for when there is nothing to read from nc; nil if it
// has none, or if a read that is ended by a deadline cannot be repeated.
func dozeOn(nc net.Conn) syscall.RawConn {
	if secured, ok := nc.(*tls.Conn); ok {
		nc = secured.NetConn()
	}
	return socketOf(nc)
}

// waitReadable waits until there is something to read, in a few small frames. An error is
// left to the next read.
func waitReadable(socket syscall.RawConn) {
	looked := false
	_ = socket.Read(func(fd uintptr) bool {
		if looked {
			return true
		}
		looked = true // what has come before is not told of again
		return readable(fd)
	})
}

// read reads behind r's unparsed bytes. The buffer is borrowed only while the
// socket is readable.
func (s *rawSocket) read(r *reader) (int, error) {
	s.reader = r
	err := s.conn.Read(s.onRead)
	if err == nil {
		err = s.err
	}
	if err == nil && s.n == 0 {
		err = io.EOF
	}
	if err != nil {
		return 0, err
	}
	return s.n, nil
}

func (s *rawSocket) readReady(fd uintptr) bool {
	if s.readSome(fd) {
		return true
	}
	s.reader.release()
	return false
}

// readable tells whether a read would return something at once.
func readable(fd uintptr) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err != syscall.EAGAIN
}

// poll is read without waiting: n is zero if there is nothing to read. The
// buffer stays borrowed.
func (s *rawSocket) poll(r *reader) (n int, err error) {
	s.reader = r
	if err = s.conn.Read(s.onPoll); err == nil {
		err = s.err
	}
	if err != nil {
		return 0, err
	}
	return s.n, nil
}

func (s *rawSocket) pollReady(fd uintptr) bool {
	if s.readSome(fd) && s.err == nil && s.n == 0 {
		s.err = io.EOF
	}
	return true
}

// readSome reads where the next bytes belong and behind the reader's unparsed
// bytes, and reports whether there was something to read, or an error.
func (s *rawSocket) readSome(fd uintptr) bool {
	r := s.reader
	size := r.readRoom()
	r.borrow(size)
	room := r.buf[r.end:min(len(r.buf), r.end+size)]
	if r.direct == nil {
		s.n, s.err = readNow(fd, room)
	} else {
		s.n, s.err = readVector(fd, r.direct, room)
	}
	if errors.Is(s.err, syscall.EAGAIN) {
		s.n, s.err = 0, nil
		return false
	}
	if s.err != nil {
		s.n = 0
		s.err = os.NewSyscallError("read", s.err)
		return true
	}
	if r.direct != nil {
		r.got = min(s.n, len(r.direct))
	}
	r.end += s.n - r.got
	return true
}

// write writes as much of p as the socket takes at once. If it takes none, write
// returns, or waits until it does. Only a flusher may call it.
func (s *rawSocket) write(p *pending, wait bool) (int, error) {
	s.out, s.outWaits = p, wait
	err := s.conn.Write(s.onWrite)
	s.out = nil
	if err == nil {
		err = s.outErr
	} else {
		s.outN = 0
	}
	return s.outN, err
}

func (s *rawSocket) writeReady(fd uintptr) bool {
	s.outN, s.outErr = 0, nil
	if len(s.out.refs) == 0 {
		s.outN, s.outErr = writeNow(fd, s.out.bytes[s.out.done:])
	} else {
		s.refs.Lock()
		s.outN, s.outErr = writeVector(fd, s.out)
		s.refs.Unlock()
	}
	if s.outErr != nil {
		s.outN = 0
		if errors.Is(s.outErr, syscall.EAGAIN) {
			s.outErr = nil
		} else {
			s.outErr = os.NewSyscallError("write", s.outErr)
		}
	}
	return !s.outWaits || s.outN > 0 || s.outErr != nil
}
