package peer;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.Status;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.protobuf.StatusProto;
import yodel.interop.EchoOuterClass.EchoRequest;
import yodel.interop.EchoOuterClass.EchoResponse;
import yodel.interop.EchoOuterClass.EndedRequest;
import yodel.interop.EchoOuterClass.EndedResponse;
import yodel.interop.EchoOuterClass.Failure;
import yodel.interop.EchoOuterClass.WireRequest;
import yodel.interop.EchoOuterClass.WireResponse;

/**
 * The contract, as far as both ends need it. The methods are written out, as the generator of stubs
 * would: its program cannot be had wherever Maven's artifacts can.
 */
final class Contract {
  static final String SERVICE = "yodel.interop.Echo";

  static final MethodDescriptor<EchoRequest, EchoResponse> SAY = echo("Say", MethodType.UNARY);
  static final MethodDescriptor<EchoRequest, EchoResponse> COUNT = echo("Count", MethodType.SERVER_STREAMING);
  static final MethodDescriptor<EchoRequest, EchoResponse> JOIN = echo("Join", MethodType.CLIENT_STREAMING);
  static final MethodDescriptor<EchoRequest, EchoResponse> CHAT = echo("Chat", MethodType.BIDI_STREAMING);
  static final MethodDescriptor<EchoRequest, EchoResponse> MISSING = echo("Missing", MethodType.UNARY);
  static final MethodDescriptor<EndedRequest, EndedResponse> ENDED =
      method("Ended", MethodType.UNARY, EndedRequest.getDefaultInstance(), EndedResponse.getDefaultInstance());
  static final MethodDescriptor<WireRequest, WireResponse> WIRE =
      method("Wire", MethodType.UNARY, WireRequest.getDefaultInstance(), WireResponse.getDefaultInstance());

  static final Metadata.Key<String> ECHO = Metadata.Key.of("x-echo", Metadata.ASCII_STRING_MARSHALLER);
  static final Metadata.Key<byte[]> ECHO_BIN = Metadata.Key.of("x-echo-bin", Metadata.BINARY_BYTE_MARSHALLER);
  static final Metadata.Key<String> TRAILER = Metadata.Key.of("x-trailer", Metadata.ASCII_STRING_MARSHALLER);
  static final Metadata.Key<byte[]> TRAILER_BIN = Metadata.Key.of("x-trailer-bin", Metadata.BINARY_BYTE_MARSHALLER);
  static final Metadata.Key<String> COMPRESS = Metadata.Key.of("x-compress", Metadata.ASCII_STRING_MARSHALLER);

  private Contract() {}

  private static MethodDescriptor<EchoRequest, EchoResponse> echo(String name, MethodType type) {
    return method(name, type, EchoRequest.getDefaultInstance(), EchoResponse.getDefaultInstance());
  }

  private static <Q extends Message, R extends Message> MethodDescriptor<Q, R> method(
      String name, MethodType type, Q request, R response) {
    return MethodDescriptor.<Q, R>newBuilder()
        .setType(type)
        .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, name))
        .setRequestMarshaller(ProtoUtils.marshaller(request))
        .setResponseMarshaller(ProtoUtils.marshaller(response))
        .build();
  }

  /** The status of a failure, with the failure as its detail. */
  static Status status(Failure failure) {
    return Status.newBuilder()
        .setCode(failure.getCode())
        .setMessage(failure.getMessage())
        .addDetails(Any.pack(failure))
        .build();
  }

  /** The failure that is the detail of an error's status. */
  static Failure detail(Throwable error) throws InvalidProtocolBufferException {
    return StatusProto.fromThrowable(error).getDetails(0).unpack(Failure.class);
  }
}
