package h2

// PingKind is why we send a PING. Each kind has an opaque value of its own, so
// that the answer to one is never taken for that to another.
type PingKind uint8

// The kinds of PING.
const (
	// PingForeign is an answer to a PING that we did not send.
	PingForeign PingKind = iota
	// PingKeepalive asks whether the peer is there (gRFC A8).
	PingKeepalive
	// PingBandwidth measures a round trip for the Estimator.
	PingBandwidth
	// PingDrain comes after the first GOAWAY: once it is answered, no stream
	// opened before the peer knew is still on its way (gRFC A9).
	PingDrain
)

// pingMark starts the opaque value of our PINGs.
const pingMark = "yodel/p"

// Data is the opaque value of a PING of this kind.
func (k PingKind) Data() [8]byte {
	var d [8]byte
	copy(d[:], pingMark)
	d[7] = '0' + byte(k)
	return d
}

// PingKindOf tells which PING of ours carried data.
func PingKindOf(data [8]byte) PingKind {
	k := PingKind(data[7] - '0')
	if k > PingDrain || string(data[:7]) != pingMark {
		return PingForeign
	}
	return k
}
