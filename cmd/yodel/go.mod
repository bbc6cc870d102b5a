module github.com/yodelrpc/yodel/cmd/yodel

go 1.26.0

require (
	github.com/bufbuild/protocompile v0.14.1
	github.com/spf13/cobra v1.10.2
	github.com/yodelrpc/yodel v0.0.0
	google.golang.org/protobuf v1.36.12
)

require (
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
	golang.org/x/mod v0.42.0
	golang.org/x/sync v0.8.0 // indirect
)

replace github.com/yodelrpc/yodel => ../..
