package floors

const modulePath = "github.com/yodelrpc/yodel"

// The floors. A package imports packages of lower floors, or its own parent.
const (
	ground     = iota // values that everything may use, also the rest of floor 0
	values            // floor 0: no I/O, no goroutines, no locks
	rules             // floor 1: pure state machines
	transports        // floor 2: the first with sockets and goroutines
	policies          // floor 3
	rpc               // floor 4: the root package
	users             // floor 5: users of yodel; nothing below imports them
	programs          // commands, over everything
	apart             // tests of the repository; may import anything, and nothing imports them
)

// floorOf has every package of the root module, by its folder.
var floorOf = map[string]int{
	"internal/buffer": ground,
	"metadata":        ground,
	"status":          ground,

	"internal/codec":    values,
	"internal/envelope": values,
	"internal/frame":    values,
	"internal/hpack":    values,

	"internal/h2":       rules,
	"internal/protocol": rules,

	"transport":        transports,
	"transport/http2":  transports,
	"transport/inproc": transports,

	"credentials": policies,
	"encoding":    policies,

	".": rpc,

	"generator": users,
	"yodeltest": users,

	"cmd/protoc-gen-go-yodel": programs,

	"internal/floors": apart,
}

// groundImports are the imports between packages of the ground.
var groundImports = map[string][]string{
	"status": {"metadata"},
}

// forbiddenImports may not be linked by any package of the root module: net/http
// is heavy, and templates look methods up by name, which switches off the
// linker's dead-code elimination for the user's whole program.
var forbiddenImports = []string{"html/template", "net/http", "text/template"}

// budgetExceptions are files and functions that may be longer than the budget,
// and why. A function's key is its file, a colon and its name.
var budgetExceptions = map[string]string{}
