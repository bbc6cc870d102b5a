package transport

import "sync"

// ID identifies a channel, connection, listener or server within a Registry.
// Zero is none.
type ID uint64

// Entity is what a Registry knows of one of its members.
type Entity struct {
	ID     ID
	Parent ID
	// Kind is "channel", "connection", "listener" or "server".
	Kind string
	// Name is a target or an address.
	Name string
	// Member is the channel, [Conn], [Listener] or server itself, to be asked
	// for more by whoever knows its type.
	Member any
}

// Registry gives ids to channels, connections, listeners and servers, and knows
// the ones that live. It is a value, not a global: a program that wants to look
// at several channels and servers together gives them one Registry. The zero
// value is ready to use; all methods are safe for concurrent use. A nil
// Registry knows nothing and gives the ID zero.
type Registry struct {
	mu   sync.Mutex
	last ID
	live map[ID]Entity
}

// Add registers a member, whose ID it chooses: one that is never used again. It
// stores the ID in *id before anybody can find the member.
func (r *Registry) Add(id *ID, e Entity) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.live == nil {
		r.live = make(map[ID]Entity)
	}
	r.last++
	e.ID, *id = r.last, r.last
	r.live[e.ID] = e
}

// Remove forgets a member that has ended.
func (r *Registry) Remove(id ID) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.live, id)
}

// Snapshot returns the live members, in no particular order.
func (r *Registry) Snapshot() []Entity {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Entity, 0, len(r.live))
	for _, e := range r.live {
		all = append(all, e)
	}
	return all
}
