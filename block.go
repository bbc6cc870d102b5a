package yodel

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/yodelrpc/yodel/internal/protocol"
	"github.com/yodelrpc/yodel/transport"
)

// maxBlocks bounds what a channel remembers of its methods. A program has a few
// hundred; one that makes Method values as it goes starts over now and then.
const maxBlocks = 4096

// blockKey is what decides the fixed part of a request's header section.
type blockKey struct {
	method            *Method
	subtype, encoding string
}

// blockCache holds that part for each method, so that a transport sees the same
// Block again and need not encode it again.
type blockCache struct {
	// usual has the *transport.Block of each *Method that was called with the
	// channel's own codec and compressor, and count how many there are.
	usual sync.Map
	count atomic.Int64

	mu      sync.Mutex
	unusual map[blockKey]*transport.Block
}

// block returns the fixed part of a request.
func (c *Channel) block(m *Method, p *callParams) (*transport.Block, error) {
	if p.codec != nil || p.compressor != nil {
		return c.unusualBlock(m, p)
	}
	if known, ok := c.blocks.usual.Load(m); ok {
		if b, ok := known.(*transport.Block); ok {
			return b, nil
		}
	}
	return c.addUsualBlock(m)
}

func (c *Channel) addUsualBlock(m *Method) (*transport.Block, error) {
	encoding := ""
	if c.requestCompressor != nil {
		encoding = c.requestCompressor.Name()
	}
	b, err := c.newBlock(m, c.codec.Name(), encoding)
	if err != nil {
		return nil, err
	}
	if c.blocks.count.Add(1) > maxBlocks {
		c.blocks.count.Store(1)
		c.blocks.usual.Clear()
	}
	known, _ := c.blocks.usual.LoadOrStore(m, b)
	if first, ok := known.(*transport.Block); ok {
		return first, nil
	}
	return b, nil
}

func (c *Channel) unusualBlock(m *Method, p *callParams) (*transport.Block, error) {
	key := blockKey{method: m, subtype: c.codec.Name()}
	if p.codec != nil {
		key.subtype = p.codec.Name()
	}
	if compressor := c.compressor(p); compressor != nil {
		key.encoding = compressor.Name()
	}
	c.blocks.mu.Lock()
	b := c.blocks.unusual[key]
	c.blocks.mu.Unlock()
	if b != nil {
		return b, nil
	}
	b, err := c.newBlock(m, key.subtype, key.encoding)
	if err != nil {
		return nil, err
	}
	c.blocks.mu.Lock()
	defer c.blocks.mu.Unlock()
	if c.blocks.unusual == nil || len(c.blocks.unusual) >= maxBlocks {
		c.blocks.unusual = make(map[blockKey]*transport.Block)
	}
	c.blocks.unusual[key] = b
	return b, nil
}

func (c *Channel) newBlock(m *Method, subtype, encoding string) (*transport.Block, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	if subtype == "proto" {
		// Messages are protobuf unless something is said.
		subtype = ""
	}
	common := protocol.RequestConfig{
		Subtype: subtype, UserAgent: c.userAgent,
		Encoding: encoding, AcceptEncoding: c.acceptNames,
	}
	return &transport.Block{
		Method: "POST", Scheme: c.scheme, Authority: c.target.authority, Path: m.Path(),
		Fields: common.AppendFields(nil),
	}, nil
}

// timeoutMemo is the last timeout that a channel has sent.
type timeoutMemo struct {
	timeout time.Duration
	field   transport.Field
}

// timeoutField returns the field that tells the server of a timeout. Calls with
// the same timeout have the same field, as a rule.
func (c *Channel) timeoutField(left time.Duration) transport.Field {
	left = protocol.RoundTimeout(left)
	if last := c.timeout.Load(); last != nil && last.timeout == left {
		return last.field
	}
	memo := &timeoutMemo{timeout: left, field: protocol.TimeoutField(left)}
	c.timeout.Store(memo)
	return memo.field
}

// responseMemo remembers the Blocks of the usual response, so that they are
// parsed once. A Block that it holds stays alive, so its address stays its own.
type responseMemo struct {
	// header begins a gRPC response without metadata and compression.
	header atomic.Pointer[transport.Block]
	// trailer says OK and nothing else.
	trailer atomic.Pointer[transport.Block]
}
