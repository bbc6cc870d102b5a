package bench;

import com.google.protobuf.Message;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.protobuf.ProtoUtils;
import yodel.bench.Bench.DownRequest;
import yodel.bench.Bench.Msg;
import yodel.bench.Bench.UpResponse;

/**
 * The methods, written out as the generator of stubs would: its program cannot be had wherever
 * Maven's artifacts can.
 */
final class Contract {
  static final String SERVICE = "yodel.bench.Echo";

  static final MethodDescriptor<Msg, Msg> SAY =
      method("Say", MethodType.UNARY, Msg.getDefaultInstance(), Msg.getDefaultInstance());
  static final MethodDescriptor<Msg, Msg> CHAT =
      method("Chat", MethodType.BIDI_STREAMING, Msg.getDefaultInstance(), Msg.getDefaultInstance());
  static final MethodDescriptor<DownRequest, Msg> DOWN =
      method("Down", MethodType.SERVER_STREAMING, DownRequest.getDefaultInstance(), Msg.getDefaultInstance());
  static final MethodDescriptor<Msg, UpResponse> UP =
      method("Up", MethodType.CLIENT_STREAMING, Msg.getDefaultInstance(), UpResponse.getDefaultInstance());

  private Contract() {}

  private static <Q extends Message, R extends Message> MethodDescriptor<Q, R> method(
      String name, MethodType type, Q request, R response) {
    return MethodDescriptor.<Q, R>newBuilder()
        .setType(type)
        .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, name))
        .setSampledToLocalTracing(true)
        .setRequestMarshaller(ProtoUtils.marshaller(request))
        .setResponseMarshaller(ProtoUtils.marshaller(response))
        .build();
  }
}
