package envelope

// Demand says how many bytes must be buffered before a reader is worth waking,
// given what is buffered now; see transport.Demand, whose shape it has. The
// functions below make closures: make one per limit and keep it, not one per
// call.
type Demand = func(buffered []byte) int

// OneMessage wakes a reader when a whole message is buffered, or a prefix that
// no waiting will make good.
func OneMessage(limit int) Demand {
	return func(buffered []byte) int {
		if len(buffered) < PrefixLen {
			return PrefixLen
		}
		size, ok := prefixFits(buffered, limit)
		if !ok {
			return 0
		}
		return PrefixLen + size
	}
}

// OnlyMessage is for the side of a call that has one message: it lets the
// reader sleep until the stream ends, which wakes every reader, unless there is
// more than one message, or a prefix that no waiting will make good.
func OnlyMessage(limit int) Demand {
	return func(buffered []byte) int {
		if len(buffered) < PrefixLen {
			return PrefixLen
		}
		size, ok := prefixFits(buffered, limit)
		if !ok {
			return 0
		}
		return PrefixLen + size + 1
	}
}
