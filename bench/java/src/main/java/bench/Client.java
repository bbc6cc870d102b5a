package bench;

import com.google.protobuf.ByteString;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;
import yodel.bench.Bench.DownRequest;
import yodel.bench.Bench.Msg;
import yodel.bench.Bench.UpResponse;

/**
 * The client, with the settings of the server: one caller of unary calls makes blocking ones, all
 * others are of the asynchronous kind.
 */
final class Client {
  private final String target;
  private final boolean direct;
  private final List<Channel> channels = new ArrayList<>();
  // They stay open from one run to the next.
  private final List<Chat> chats = new ArrayList<>();

  private Client(Wire.Spec spec) {
    target = spec.address;
    direct = spec.direct();
  }

  static void run(Wire.Spec spec) throws Exception {
    Client client = new Client(spec);
    Wire.answer(
        command ->
            switch (command.op) {
              case "run" -> client.measure(command);
              case "usage" -> Wire.Answer.used();
              default -> Wire.Answer.unsupported();
            });
  }

  /** Runs a workload; the answer's usage is what it took. */
  private Wire.Answer measure(Wire.Command command) throws Exception {
    Wire.Workload workload = command.workload;
    if (workload.deadline) {
      return Wire.Answer.unsupported();
    }
    int callers = Math.max(workload.concurrency, 1);
    Wire.Usage before = new Wire.Usage();
    connect(workload, callers);
    Load load = new Load(workload, command.time, callers);
    for (int i = 0; i < callers; i++) {
      add(load, i);
    }
    Wire.Answer answer = new Wire.Answer();
    answer.result = load.run();
    answer.usage = new Wire.Usage();
    answer.usage.cpu -= before.cpu;
    answer.result.latency = load.latency();
    return load.failure() == null ? answer : Wire.Answer.failed(load.failure().toString());
  }

  /** Makes the connections and streams of a workload, as far as they are missing. */
  private void connect(Wire.Workload workload, int callers) {
    while (channels.size() < Math.max(workload.conns, 1)) {
      channels.add(dial());
    }
    while (workload.kind.equals("chat") && chats.size() < callers) {
      chats.add(new Chat(channels.get(chats.size() % channels.size())));
    }
  }

  private ManagedChannel dial() {
    ManagedChannelBuilder<?> builder = Grpc.newChannelBuilder(target, InsecureChannelCredentials.create());
    if (direct) {
      builder.directExecutor();
    }
    return builder.build();
  }

  /** Adds the caller number i to a load. */
  private void add(Load load, int i) {
    Channel channel = channels.get(i % channels.size());
    Msg msg = Msg.newBuilder().setBody(ByteString.copyFrom(new byte[load.workload.bytes])).build();
    switch (load.workload.kind) {
      case "say" -> {
        if (load.workload.concurrency > 1) {
          new Say(load, channel, msg);
        } else {
          new BlockingSay(load, channel, msg);
        }
      }
      case "cold" -> new Cold(load, msg);
      case "chat" -> chats.get(i).join(load, msg);
      case "down" -> new Down(load, channel);
      case "up" -> new Up(load, channel, msg);
      default -> throw new IllegalArgumentException("there is no workload " + load.workload.kind);
    }
  }

  private static void say(Channel channel, Msg msg) {
    Msg answer = ClientCalls.blockingUnaryCall(channel, Contract.SAY, CallOptions.DEFAULT, msg);
    if (!sameSize(msg, answer)) {
      throw Load.wrong();
    }
  }

  private static boolean sameSize(Msg request, Msg answer) {
    return answer != null && answer.getBody().size() == request.getBody().size();
  }

  private static final class BlockingSay extends Load.Waiting {
    private final Channel channel;
    private final Msg msg;

    BlockingSay(Load load, Channel channel, Msg msg) {
      super(load);
      this.channel = channel;
      this.msg = msg;
    }

    @Override
    long whole() {
      say(channel, msg);
      return 1;
    }
  }

  private final class Cold extends Load.Waiting {
    private final Msg msg;

    Cold(Load load, Msg msg) {
      super(load);
      this.msg = msg;
    }

    @Override
    long whole() {
      ManagedChannel channel = dial();
      try {
        say(channel, msg);
      } finally {
        channel.shutdownNow();
      }
      return 1;
    }
  }

  private static final class Say extends Load.Caller implements StreamObserver<Msg> {
    private final Channel channel;
    private final Msg msg;
    private Msg answer;

    Say(Load load, Channel channel, Msg msg) {
      super(load);
      this.channel = channel;
      this.msg = msg;
    }

    @Override
    void step() {
      answer = null;
      ClientCalls.asyncUnaryCall(channel.newCall(Contract.SAY, CallOptions.DEFAULT), msg, this);
    }

    @Override
    public void onNext(Msg answer) {
      this.answer = answer;
    }

    @Override
    public void onError(Throwable error) {
      failed(error);
    }

    @Override
    public void onCompleted() {
      ended(1, sameSize(msg, answer));
    }
  }

  /** A bidirectional stream. One load after another exchanges messages on it. */
  private static final class Chat implements StreamObserver<Msg> {
    private final StreamObserver<Msg> out;
    private volatile Load.Caller caller;
    private volatile Msg msg;

    Chat(Channel channel) {
      out = ClientCalls.asyncBidiStreamingCall(channel.newCall(Contract.CHAT, CallOptions.DEFAULT), this);
    }

    void join(Load load, Msg msg) {
      this.msg = msg;
      caller =
          new Load.Caller(load) {
            @Override
            void step() {
              out.onNext(msg);
            }
          };
    }

    @Override
    public void onNext(Msg answer) {
      caller.ended(1, sameSize(msg, answer));
    }

    @Override
    public void onError(Throwable error) {
      caller.failed(error);
    }

    @Override
    public void onCompleted() {
      caller.failed(new IllegalStateException("the stream has ended"));
    }
  }

  private static final class Down extends Load.Caller implements StreamObserver<Msg> {
    private final Channel channel;
    private final DownRequest request;
    private long messages;
    private long bytes;

    Down(Load load, Channel channel) {
      super(load);
      this.channel = channel;
      request =
          DownRequest.newBuilder().setMessages(load.workload.messages).setBytes(load.workload.bytes).build();
    }

    @Override
    void step() {
      messages = 0;
      bytes = 0;
      ClientCalls.asyncServerStreamingCall(channel.newCall(Contract.DOWN, CallOptions.DEFAULT), request, this);
    }

    @Override
    public void onNext(Msg msg) {
      messages++;
      bytes += msg.getBody().size();
    }

    @Override
    public void onError(Throwable error) {
      failed(error);
    }

    @Override
    public void onCompleted() {
      ended(messages, messages == request.getMessages() && bytes == messages * request.getBytes());
    }
  }

  private static final class Up extends Load.Caller {
    private final Channel channel;
    private final Msg msg;
    private final int n;

    Up(Load load, Channel channel, Msg msg) {
      super(load);
      this.channel = channel;
      this.msg = msg;
      n = load.workload.messages;
    }

    @Override
    void step() {
      ClientCalls.asyncClientStreamingCall(channel.newCall(Contract.UP, CallOptions.DEFAULT), new Stream());
    }

    /** One stream. It writes as much as the server takes. */
    private final class Stream implements ClientResponseObserver<Msg, UpResponse> {
      private int sent;
      private UpResponse answer = UpResponse.getDefaultInstance();

      @Override
      public void beforeStart(ClientCallStreamObserver<Msg> out) {
        out.setOnReadyHandler(
            () -> {
              while (sent < n && out.isReady()) {
                out.onNext(msg);
                if (++sent == n) {
                  out.onCompleted();
                }
              }
            });
      }

      @Override
      public void onNext(UpResponse answer) {
        this.answer = answer;
      }

      @Override
      public void onError(Throwable error) {
        failed(error);
      }

      @Override
      public void onCompleted() {
        ended(n, answer.getMessages() == n && answer.getBytes() == (long) n * msg.getBody().size());
      }
    }
  }
}
