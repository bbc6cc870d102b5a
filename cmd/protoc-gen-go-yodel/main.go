// Protoc-gen-go-yodel is a plugin of protoc and buf that writes Yodel's stubs,
// x_yodel.pb.go beside protoc-gen-go's x.pb.go:
//
//	protoc --go_out=. --go-yodel_out=. --go_opt=paths=source_relative \
//		--go-yodel_opt=paths=source_relative api.proto
//
// Its options are those of protoc-gen-go that say where files go and what they
// are called (paths=, module=, M<file>=), and these two:
//
//	package_suffix=SUFFIX     stubs into the package <package>SUFFIX below the messages' one
//	service_name=FULL=WIRE    serve the service FULL under the name WIRE
package main

import (
	"fmt"
	"os"

	"google.golang.org/protobuf/compiler/protogen"

	"github.com/yodelrpc/yodel/generator"
)

const usage = generator.PluginName + ` writes Yodel's stubs. protoc and buf run it:

	protoc --go_out=. --go-yodel_out=. api.proto

Options, each given as --go-yodel_opt=NAME=VALUE:
	paths=, module=, M<file>=   as for protoc-gen-go
	package_suffix=SUFFIX       stubs into the package <package>SUFFIX below the messages' one
	service_name=FULL=WIRE      serve the service FULL under the name WIRE

The yodel command does all this without protoc: yodel generate api.proto
`

func main() {
	if len(os.Args) == 2 {
		switch os.Args[1] {
		case "--version", "-version":
			fmt.Println(generator.PluginName, generator.Version)
			return
		case "--help", "-help", "-h":
			fmt.Print(usage)
			return
		}
	}
	var opts generator.Options
	protogen.Options{ParamFunc: opts.Set}.Run(func(gen *protogen.Plugin) error {
		opts.Generate(gen)
		return nil
	})
}
