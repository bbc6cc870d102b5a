package bench;

import com.google.protobuf.ByteString;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.net.InetSocketAddress;
import yodel.bench.Bench.DownRequest;
import yodel.bench.Bench.Msg;
import yodel.bench.Bench.UpResponse;

/** The server: grpc-java's default settings, and the direct executor if the stack is called so. */
final class EchoServer {
  private EchoServer() {}

  /** Serves until the input ends. */
  static void run(Wire.Spec spec) throws Exception {
    ServerServiceDefinition service =
        ServerServiceDefinition.builder(Contract.SERVICE)
            .addMethod(Contract.SAY, ServerCalls.asyncUnaryCall(EchoServer::say))
            .addMethod(Contract.CHAT, ServerCalls.asyncBidiStreamingCall(EchoServer::chat))
            .addMethod(Contract.DOWN, ServerCalls.asyncServerStreamingCall(EchoServer::down))
            .addMethod(Contract.UP, ServerCalls.asyncClientStreamingCall(EchoServer::up))
            .build();
    InetSocketAddress loopback = new InetSocketAddress("127.0.0.1", 0);
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(loopback, InsecureServerCredentials.create()).addService(service);
    if (spec.direct()) {
      builder.directExecutor();
    }
    Server server = builder.build().start();
    Wire.Answer answer = new Wire.Answer();
    answer.address = "127.0.0.1:" + server.getPort();
    Wire.say(answer);
    Wire.answer(command -> command.op.equals("usage") ? Wire.Answer.used() : Wire.Answer.unsupported());
  }

  private static Msg echo(Msg request) {
    return Msg.newBuilder().setBody(request.getBody()).build();
  }

  private static void say(Msg request, StreamObserver<Msg> out) {
    out.onNext(echo(request));
    out.onCompleted();
  }

  private static StreamObserver<Msg> chat(StreamObserver<Msg> out) {
    return new Requests() {
      @Override
      public void onNext(Msg request) {
        out.onNext(echo(request));
      }

      @Override
      public void onCompleted() {
        out.onCompleted();
      }
    };
  }

  /** Writes as much as the client takes. */
  private static void down(DownRequest request, StreamObserver<Msg> out) {
    Msg msg = Msg.newBuilder().setBody(ByteString.copyFrom(new byte[(int) request.getBytes()])).build();
    ServerCallStreamObserver<Msg> call = (ServerCallStreamObserver<Msg>) out;
    call.setOnReadyHandler(
        new Runnable() {
          private long left = request.getMessages();

          @Override
          public void run() {
            while (left > 0 && call.isReady()) {
              call.onNext(msg);
              if (--left == 0) {
                call.onCompleted();
              }
            }
          }
        });
  }

  private static StreamObserver<Msg> up(StreamObserver<UpResponse> out) {
    return new Requests() {
      private long messages;
      private long bytes;

      @Override
      public void onNext(Msg request) {
        messages++;
        bytes += request.getBody().size();
      }

      @Override
      public void onCompleted() {
        out.onNext(UpResponse.newBuilder().setMessages(messages).setBytes(bytes).build());
        out.onCompleted();
      }
    };
  }

  private abstract static class Requests implements StreamObserver<Msg> {
    @Override
    public void onError(Throwable error) {
      // The client has gone.
    }
  }
}
