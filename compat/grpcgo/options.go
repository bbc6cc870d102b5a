package grpcgo

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	grpccredentials "google.golang.org/grpc/credentials"
	grpcencoding "google.golang.org/grpc/encoding"
	grpcmetadata "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/encoding"
)

// settings are what the options of one call say.
type settings struct {
	// options are those that Yodel has.
	options []yodel.CallOption

	waitForReady bool
	compressor   string
	subtype      string
	codec        encoding.Codec // one that is forced
	credentials  grpccredentials.PerRPCCredentials

	// What is to be done when the call has ended.
	headers, trailers []*grpcmetadata.MD
	peers             []*peer.Peer
	finish            []func(error)
}

// watched tells whether anybody waits for the end of the call.
func (s *settings) watched() bool {
	return len(s.headers)+len(s.trailers)+len(s.peers)+len(s.finish) > 0
}

// finished tells those who asked to be told how the call ended: nil is OK.
func (s *settings) finished(err error) {
	for _, f := range s.finish {
		f(err)
	}
}

// settings reads options. The error is a status; OnFinish is known all the
// same.
func (c *ClientConn) settings(options []grpc.CallOption) (*settings, error) {
	s := new(settings)
	var bad error
	for _, o := range options {
		if err := s.apply(o); err != nil && bad == nil {
			bad = err
		}
	}
	if bad != nil {
		return s, bad
	}
	if s.waitForReady {
		s.options = append(s.options, yodel.WaitForReady())
	}
	if s.compressor != "" {
		compressor, err := c.compressor(s.compressor)
		if err != nil {
			return s, err
		}
		s.options = append(s.options, yodel.Compress(compressor))
	}
	codec, err := s.chooseCodec()
	if codec != nil {
		s.options = append(s.options, yodel.Codec(codec))
	}
	return s, err
}

// compressor returns what UseCompressor names.
func (c *ClientConn) compressor(name string) (encoding.Compressor, error) {
	if found, ok := Compressor(name); ok {
		return found, nil
	}
	switch name {
	case c.gzip.Name():
		return c.gzip, nil
	case encoding.Identity:
		return nil, unsupported("UseCompressor(\"identity\"): leave yodel.ChannelConfig.Compressor empty for calls without compression")
	}
	return nil, misused("UseCompressor(" + strconv.Quote(name) + "): the program has registered no such compressor with grpc-go's encoding package")
}

// chooseCodec returns the codec for the call, nil for the channel's own.
func (s *settings) chooseCodec() (encoding.Codec, error) {
	switch {
	case s.codec != nil && s.subtype != "":
		return renamed{s.codec, s.subtype}, nil
	case s.codec != nil:
		return s.codec, nil
	case s.subtype == "":
		if codec, _ := Codec(encoding.Proto{}.Name()); codec != (encoding.Proto{}) {
			// The program has replaced grpc-go's.
			return codec, nil
		}
		return nil, nil //nolint:nilnil // the channel's own
	}
	codec, ok := Codec(s.subtype)
	if !ok {
		return nil, misused("CallContentSubtype(" + strconv.Quote(s.subtype) + "): the program has registered no such codec with grpc-go's encoding package")
	}
	return codec, nil
}

// renamed is a codec under another content-subtype.
type renamed struct {
	encoding.Codec
	subtype string
}

func (r renamed) Name() string { return r.subtype }

func (s *settings) apply(option grpc.CallOption) error {
	switch o := option.(type) {
	case grpc.HeaderCallOption:
		s.headers = append(s.headers, o.HeaderAddr)
	case grpc.TrailerCallOption:
		s.trailers = append(s.trailers, o.TrailerAddr)
	case grpc.PeerCallOption:
		s.peers = append(s.peers, o.PeerAddr)
	case grpc.OnFinishCallOption:
		s.finish = append(s.finish, o.OnFinish)
	case grpc.FailFastCallOption:
		s.waitForReady = !o.FailFast
	case grpc.CompressorCallOption:
		s.compressor = o.CompressorType
	case grpc.ContentSubtypeCallOption:
		s.subtype = strings.ToLower(o.ContentSubtype)
	case grpc.ForceCodecCallOption:
		s.codec = &codecV1{name: strings.ToLower(o.Codec.Name()), codec: o.Codec}
	case grpc.ForceCodecV2CallOption:
		s.codec = forced(o.CodecV2)
	case grpc.PerRPCCredsCallOption:
		s.credentials = o.Creds
	case grpc.MaxRecvMsgSizeCallOption:
		return s.limit("MaxCallRecvMsgSize", o.MaxRecvMsgSize, yodel.MaxReceiveBytes)
	case grpc.MaxSendMsgSizeCallOption:
		return s.limit("MaxCallSendMsgSize", o.MaxSendMsgSize, yodel.MaxSendBytes)
	case grpc.StaticMethodCallOption, grpc.EmptyCallOption:
		// They change nothing on the wire.
	default:
		return s.applyEmbedded(option)
	}
	return nil
}

func forced(codec grpcencoding.CodecV2) encoding.Codec {
	return &codecV2{name: strings.ToLower(codec.Name()), codec: codec}
}

// limit sets a message limit. Yodel has no calls without messages, and takes
// zero for "as the channel has it".
func (s *settings) limit(name string, bytes int, option func(int) yodel.CallOption) error {
	if bytes <= 0 {
		return unsupported(name + "(" + strconv.Itoa(bytes) + "): a limit is one byte at least")
	}
	s.options = append(s.options, option(bytes))
	return nil
}

// applyEmbedded applies an option of a type that grpc-go does not have. Such a
// type carries data for interceptors, and it is an option because it embeds
// one: that one counts.
func (s *settings) applyEmbedded(option grpc.CallOption) error {
	v := reflect.ValueOf(option)
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct || v.Type().PkgPath() == reflect.TypeFor[grpc.EmptyCallOption]().PkgPath() {
		return unsupported(fmt.Sprintf("the call option %T is not supported; the documentation of the package lists those that are", option))
	}
	for i := range v.NumField() {
		if field := v.Type().Field(i); field.Anonymous && field.IsExported() {
			if embedded, ok := reflect.TypeAssert[grpc.CallOption](v.Field(i)); ok {
				return s.apply(embedded)
			}
		}
	}
	return unsupported(fmt.Sprintf("the call option %T is of no type that is supported", option))
}
