package hpack

// staticCount is the number of fields in the static table, whose indexes start
// at 1 (RFC 7541 Appendix A).
const staticCount = 61

var staticTable = [staticCount + 1]Field{
	1:  {Name: ":authority"},
	2:  {Name: ":method", Value: "GET"},
	3:  {Name: ":method", Value: "POST"},
	4:  {Name: ":path", Value: "/"},
	5:  {Name: ":path", Value: "/index.html"},
	6:  {Name: ":scheme", Value: "http"},
	7:  {Name: ":scheme", Value: "https"},
	8:  {Name: ":status", Value: "200"},
	9:  {Name: ":status", Value: "204"},
	10: {Name: ":status", Value: "206"},
	11: {Name: ":status", Value: "304"},
	12: {Name: ":status", Value: "400"},
	13: {Name: ":status", Value: "404"},
	14: {Name: ":status", Value: "500"},
	15: {Name: "accept-charset"},
	16: {Name: "accept-encoding", Value: "gzip, deflate"},
	17: {Name: "accept-language"},
	18: {Name: "accept-ranges"},
	19: {Name: "accept"},
	20: {Name: "access-control-allow-origin"},
	21: {Name: "age"},
	22: {Name: "allow"},
	23: {Name: "authorization"},
	24: {Name: "cache-control"},
	25: {Name: "content-disposition"},
	26: {Name: "content-encoding"},
	27: {Name: "content-language"},
	28: {Name: "content-length"},
	29: {Name: "content-location"},
	30: {Name: "content-range"},
	31: {Name: "content-type"},
	32: {Name: "cookie"},
	33: {Name: "date"},
	34: {Name: "etag"},
	35: {Name: "expect"},
	36: {Name: "expires"},
	37: {Name: "from"},
	38: {Name: "host"},
	39: {Name: "if-match"},
	40: {Name: "if-modified-since"},
	41: {Name: "if-none-match"},
	42: {Name: "if-range"},
	43: {Name: "if-unmodified-since"},
	44: {Name: "last-modified"},
	45: {Name: "link"},
	46: {Name: "location"},
	47: {Name: "max-forwards"},
	48: {Name: "proxy-authenticate"},
	49: {Name: "proxy-authorization"},
	50: {Name: "range"},
	51: {Name: "referer"},
	52: {Name: "refresh"},
	53: {Name: "retry-after"},
	54: {Name: "server"},
	55: {Name: "set-cookie"},
	56: {Name: "strict-transport-security"},
	57: {Name: "transfer-encoding"},
	58: {Name: "user-agent"},
	59: {Name: "vary"},
	60: {Name: "via"},
	61: {Name: "www-authenticate"},
}

// staticNames finds a name in the static table by its hash: where a search for
// it starts, as an index of the first field with that name, or 0. Names that
// share a place follow one another.
var staticNames = indexStaticNames()

const staticPlaces = 256

func indexStaticNames() (places [staticPlaces]uint8) {
	for i := 1; i <= staticCount; i++ {
		name := staticTable[i].Name
		if i > 1 && staticTable[i-1].Name == name {
			continue
		}
		at := hashString(0, name) % staticPlaces
		for places[at] != 0 {
			at = (at + 1) % staticPlaces
		}
		places[at] = uint8(i)
	}
	return places
}

// findStatic returns the index of the field in the static table, or of the
// first field of that name, or 0. nameHash is the name's hash.
func findStatic(nameHash uint64, name, value string) (index int, exact bool) {
	at := nameHash % staticPlaces
	for {
		index = int(staticNames[at])
		if index == 0 {
			return 0, false
		}
		if staticTable[index].Name == name {
			break
		}
		at = (at + 1) % staticPlaces
	}
	for i := index; i <= staticCount && staticTable[i].Name == name; i++ {
		if staticTable[i].Value == value {
			return i, true
		}
	}
	return index, false
}
