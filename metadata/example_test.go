package metadata_test

import (
	"fmt"

	"github.com/yodelrpc/yodel/metadata"
)

func ExampleMD() {
	var md metadata.MD
	md.Add("tenant", "blue")
	md.Add("trace-bin", "\x01\x02")

	tenant, _ := md.Get("Tenant")
	fmt.Println(tenant)
	fmt.Println(md) // values stay out of logs
	// Output:
	// blue
	// metadata[tenant:4B trace-bin:2B]
}
