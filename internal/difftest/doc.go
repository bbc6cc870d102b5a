// Package difftest compares Yodel's protocol code with other implementations of
// the same documents. It has nothing but tests, in a module of its own so that
// what it compares with never enters a user's build.
//
// hpack_test.go holds internal/hpack against golang.org/x/net/http2/hpack, and
// vectors_test.go against recorded blocks of other encoders. A comparison of
// internal/frame with golang.org/x/net/http2 belongs in frame_test.go.
//
// Every difference that is meant is named in the test that meets it, with its
// reason. Any other one is a bug on one side.
package difftest
