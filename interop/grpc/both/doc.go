// Package both is for programs that link grpc-go beside Yodel, as they do on
// their way from one to the other: its test uses both kinds of stubs for one
// service at the same time.
package both
