package http2

import (
	"net"
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT (RFC 5482), which package syscall lacks.
const tcpUserTimeout = 18

// setStallTimeout lets the kernel end a connection whose peer acknowledges
// nothing for so long. Failing to set it leaves the write deadline to do it.
func setStallTimeout(nc net.Conn, limit time.Duration) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok || limit <= 0 {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(limit.Milliseconds()))
	})
}
