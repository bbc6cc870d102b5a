module github.com/yodelrpc/yodel/interop

go 1.26.0

require (
	github.com/yodelrpc/yodel v0.0.0
	github.com/yodelrpc/yodel/examples v0.0.0
	google.golang.org/protobuf v1.36.12
)

replace (
	github.com/yodelrpc/yodel => ..
	github.com/yodelrpc/yodel/examples => ../examples
)
