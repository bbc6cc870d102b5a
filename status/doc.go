// Package status says how calls end: a [Code], a text for people, and details
// for programs.
//
// A handler makes its verdict with [New] or [Errorf]. A caller asks an error
// for its code with [CodeOf] or errors.Is, and for a detail with [DetailOf].
//
// An [Error] knows where it came from, because that decides who may read its
// text: only what the handler itself said is shown to its peer (see [ForPeer]).
// An error that a call to somebody else returned is not the handler's own
// verdict; whoever wants it passed on says so with [Forward].
package status
