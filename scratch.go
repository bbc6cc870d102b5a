package yodel

import (
	"sync"

	"github.com/yodelrpc/yodel/transport"
)

// scratch is what one operation lends to the transport.
type scratch struct {
	out           transport.Outgoing
	head, trailer transport.Header
	// few is room for fields of head.
	few [4]transport.Field
}

// scratches lends them. They belong to a channel or a server.
type scratches struct{ pool sync.Pool }

func (p *scratches) borrow() *scratch {
	if sc, ok := p.pool.Get().(*scratch); ok {
		return sc
	}
	return new(scratch)
}

func (p *scratches) give(sc *scratch) {
	used := len(sc.head.More)
	sc.out, sc.head, sc.trailer = transport.Outgoing{}, transport.Header{}, transport.Header{}
	clear(sc.few[:min(used, len(sc.few))])
	p.pool.Put(sc)
}
