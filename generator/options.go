package generator

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Options are the generator's own parameters; those that protoc-gen-go knows
// too (paths, module, M...) are protogen's. The zero value writes the stubs
// into the messages' Go package, under the names that the .proto gives.
// Options are not safe for concurrent use while they are being set.
type Options struct {
	// PackageSuffix, when set, moves the stubs of a Go package p into the
	// package p+PackageSuffix in a folder of this name below it. It is for
	// those who keep the stubs of protoc-gen-go-grpc, which have the same
	// names, beside ours.
	PackageSuffix string

	// ServiceNames maps a service's full name in the .proto to the name that it
	// has on the wire. It lets a copy of a well-known .proto be registered under
	// a proto package of its own and still be served under the known name.
	ServiceNames map[protoreflect.FullName]protoreflect.FullName
}

// Set takes one parameter as a protoc plugin receives it. It has the form of
// protogen.Options.ParamFunc. The parameters are
//
//	package_suffix=SUFFIX
//	service_name=FULL.NAME=NAME.ON.THE.WIRE   (may be repeated)
func (o *Options) Set(name, value string) error {
	switch name {
	case "package_suffix":
		if err := checkPackageSuffix(value); err != nil {
			return err
		}
		o.PackageSuffix = value
		return nil
	case "service_name":
		return o.setServiceName(value)
	}
	return fmt.Errorf("unknown option %q: this generator knows package_suffix=, service_name=, "+
		"and the options of protoc-gen-go: paths=, module=, M<file>=, annotate_code, default_api_level=, apilevelM<file>=", name)
}

func (o *Options) setServiceName(value string) error {
	full, wire, ok := strings.Cut(value, "=")
	if !ok || !protoreflect.FullName(full).IsValid() || !protoreflect.FullName(wire).IsValid() {
		return fmt.Errorf("bad option service_name=%s: want service_name=<full name in the .proto>=<name on the wire>, "+
			"for example service_name=acme.health.v1.Health=grpc.health.v1.Health", value)
	}
	if o.ServiceNames == nil {
		o.ServiceNames = make(map[protoreflect.FullName]protoreflect.FullName)
	}
	if old, ok := o.ServiceNames[protoreflect.FullName(full)]; ok && string(old) != wire {
		return fmt.Errorf("option service_name gives %s two names on the wire: %s and %s", full, old, wire)
	}
	o.ServiceNames[protoreflect.FullName(full)] = protoreflect.FullName(wire)
	return nil
}

func checkPackageSuffix(s string) error {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return fmt.Errorf("bad option package_suffix=%q: only ASCII letters, digits and _ can end a Go package name", s)
		}
	}
	if strings.HasSuffix(s, "_test") {
		return fmt.Errorf("bad option package_suffix=%q: Go keeps package names that end in _test for tests", s)
	}
	return nil
}
