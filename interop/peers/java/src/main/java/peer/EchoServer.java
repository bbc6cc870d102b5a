package peer;

import static peer.Contract.CHAT;
import static peer.Contract.COUNT;
import static peer.Contract.ENDED;
import static peer.Contract.JOIN;
import static peer.Contract.SAY;

import com.google.protobuf.ByteString;
import io.grpc.Context;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerCredentials;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsServerCredentials;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.File;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;
import yodel.interop.EchoOuterClass.EchoRequest;
import yodel.interop.EchoOuterClass.EchoResponse;
import yodel.interop.EchoOuterClass.EndedRequest;
import yodel.interop.EchoOuterClass.EndedResponse;

/** Serves Echo until the standard input ends. */
final class EchoServer {
  // Netty's part warns of each stream that the client cancels while it is written to.
  private static final Logger NETTY = Logger.getLogger("io.grpc.netty.shaded.io.grpc.netty");

  private int withDeadline;
  private int withoutDeadline;

  private EchoServer() {}

  static void serve(String address, String certificate, String key) throws IOException, InterruptedException {
    ServerCredentials credentials =
        certificate == null
            ? InsecureServerCredentials.create()
            : TlsServerCredentials.create(new File(certificate), new File(key));
    NETTY.setLevel(Level.SEVERE);
    int colon = address.lastIndexOf(':');
    InetSocketAddress socket =
        new InetSocketAddress(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1)));
    Server server =
        NettyServerBuilder.forAddress(socket, credentials)
            .addService(ServerInterceptors.intercept(new EchoServer().service(), new Echoing()))
            .build()
            .start();
    System.out.println("listening on " + server.getPort());
    while (System.in.read() >= 0) {
      // What it says does not matter.
    }
    server.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
  }

  private ServerServiceDefinition service() {
    return ServerServiceDefinition.builder(Contract.SERVICE)
        .addMethod(SAY, ServerCalls.asyncUnaryCall(this::say))
        .addMethod(COUNT, ServerCalls.asyncServerStreamingCall(this::count))
        .addMethod(JOIN, ServerCalls.asyncClientStreamingCall(this::join))
        .addMethod(CHAT, ServerCalls.asyncBidiStreamingCall(this::chat))
        .addMethod(ENDED, ServerCalls.asyncUnaryCall(this::ended))
        .build();
  }

  /** Sends the x-echo metadata back, and compresses if the request asks for it. */
  private static final class Echoing implements ServerInterceptor {
    @Override
    public <Q, R> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, R> call, Metadata request, ServerCallHandler<Q, R> next) {
      if ("gzip".equals(request.get(Contract.COMPRESS))) {
        call.setCompression("gzip");
      }
      return next.startCall(
          new SimpleForwardingServerCall<>(call) {
            @Override
            public void sendHeaders(Metadata headers) {
              copy(request, Contract.ECHO, headers, Contract.ECHO);
              copy(request, Contract.ECHO_BIN, headers, Contract.ECHO_BIN);
              super.sendHeaders(headers);
            }

            @Override
            public void close(Status status, Metadata trailers) {
              copy(request, Contract.ECHO, trailers, Contract.TRAILER);
              copy(request, Contract.ECHO_BIN, trailers, Contract.TRAILER_BIN);
              super.close(status, trailers);
            }
          },
          request);
    }

    private static <T> void copy(Metadata from, Metadata.Key<T> key, Metadata to, Metadata.Key<T> as) {
      Iterable<T> values = from.getAll(key);
      if (values != null) {
        values.forEach(value -> to.put(as, value));
      }
    }
  }

  private void say(EchoRequest request, StreamObserver<EchoResponse> out) {
    if (failed(request, out) || hangs(request)) {
      return;
    }
    out.onNext(answer(request, 0));
    out.onCompleted();
  }

  private void count(EchoRequest request, StreamObserver<EchoResponse> out) {
    if (failed(request, out) || hangs(request)) {
      return;
    }
    ServerCallStreamObserver<EchoResponse> call = (ServerCallStreamObserver<EchoResponse>) out;
    call.setOnCancelHandler(() -> {});
    // It writes as much as the client takes.
    Runnable write =
        new Runnable() {
          private int index;
          private boolean done;

          @Override
          public void run() {
            while (!done && call.isReady()) {
              if (index < request.getTimes()) {
                call.onNext(answer(request, index++));
              } else {
                done = true;
                call.onCompleted();
              }
            }
          }
        };
    call.setOnReadyHandler(write);
  }

  private StreamObserver<EchoRequest> join(StreamObserver<EchoResponse> out) {
    return new Requests(out) {
      private final StringBuilder texts = new StringBuilder();
      private ByteString payloads = ByteString.EMPTY;
      private int number;

      @Override
      void request(EchoRequest request) {
        if (hangs(request)) {
          ended = true;
          return;
        }
        texts.append(request.getText());
        payloads = payloads.concat(request.getPayload());
        number++;
      }

      @Override
      void end() {
        out.onNext(
            EchoResponse.newBuilder().setText(texts.toString()).setPayload(payloads).setIndex(number).build());
        out.onCompleted();
      }
    };
  }

  private StreamObserver<EchoRequest> chat(StreamObserver<EchoResponse> out) {
    return new Requests(out) {
      private int index;

      @Override
      void request(EchoRequest request) {
        out.onNext(answer(request, index++));
        ended = hangs(request);
      }

      @Override
      void end() {
        out.onCompleted();
      }
    };
  }

  /** The requests of a call, until one of them ends it. */
  private abstract static class Requests implements StreamObserver<EchoRequest> {
    final StreamObserver<EchoResponse> out;
    boolean ended;

    Requests(StreamObserver<EchoResponse> out) {
      this.out = out;
      // Without a handler, onNext throws once the call has been cancelled.
      ((ServerCallStreamObserver<EchoResponse>) out).setOnCancelHandler(() -> {});
    }

    abstract void request(EchoRequest request);

    abstract void end();

    @Override
    public void onNext(EchoRequest request) {
      if (!ended && !(ended = failed(request, out))) {
        request(request);
      }
    }

    @Override
    public void onError(Throwable error) {
      ended = true;
    }

    @Override
    public void onCompleted() {
      if (!ended) {
        end();
      }
    }
  }

  private synchronized void ended(EndedRequest request, StreamObserver<EndedResponse> out) {
    out.onNext(
        EndedResponse.newBuilder().setWithDeadline(withDeadline).setWithoutDeadline(withoutDeadline).build());
    out.onCompleted();
  }

  private static EchoResponse answer(EchoRequest request, int index) {
    return EchoResponse.newBuilder()
        .setText(request.getText())
        .setPayload(request.getPayload())
        .setIndex(index)
        .build();
  }

  /** Fails the call if the request asks for it. */
  private static boolean failed(EchoRequest request, StreamObserver<EchoResponse> out) {
    if (!request.hasFailure()) {
      return false;
    }
    StatusRuntimeException error = StatusProto.toStatusRuntimeException(Contract.status(request.getFailure()));
    out.onError(error);
    return true;
  }

  /** Leaves the call to its end, and counts that, if the request asks for it. */
  private boolean hangs(EchoRequest request) {
    if (!request.getHang()) {
      return false;
    }
    boolean hasDeadline = Context.current().getDeadline() != null;
    Context.current()
        .addListener(
            context -> {
              synchronized (this) {
                if (hasDeadline) {
                  withDeadline++;
                } else {
                  withoutDeadline++;
                }
              }
            },
            Runnable::run);
    return true;
  }
}
