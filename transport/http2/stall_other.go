//go:build !linux

package http2

import (
	"net"
	"time"
)

// setStallTimeout has nothing to set: the write deadline alone ends stalled
// connections.
func setStallTimeout(net.Conn, time.Duration) {}
