package http2

// maxFree bounds what a freeList keeps.
const maxFree = 128

// freeList is what a connection keeps of one kind for its next streams, each time the
// one that was used last.
type freeList[T any] []*T

// take returns nil if there is none.
func (f *freeList[T]) take() *T {
	n := len(*f)
	if n == 0 {
		return nil
	}
	one := (*f)[n-1]
	(*f)[n-1] = nil
	*f = (*f)[:n-1]
	return one
}

// give keeps one, unless there are enough.
func (f *freeList[T]) give(one *T) {
	if len(*f) < maxFree {
		*f = append(*f, one)
	}
}
