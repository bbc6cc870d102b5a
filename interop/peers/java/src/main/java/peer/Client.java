package peer;

import static peer.Contract.CHAT;
import static peer.Contract.COUNT;
import static peer.Contract.ENDED;
import static peer.Contract.JOIN;
import static peer.Contract.MISSING;
import static peer.Contract.SAY;
import static peer.Contract.WIRE;

import com.google.common.collect.Lists;
import com.google.common.util.concurrent.Futures;
import com.google.common.util.concurrent.ListenableFuture;
import com.google.protobuf.ByteString;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptors;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.io.File;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import yodel.interop.EchoOuterClass.EchoRequest;
import yodel.interop.EchoOuterClass.EchoResponse;
import yodel.interop.EchoOuterClass.EndedRequest;
import yodel.interop.EchoOuterClass.EndedResponse;
import yodel.interop.EchoOuterClass.Failure;
import yodel.interop.EchoOuterClass.WireRequest;
import yodel.interop.EchoOuterClass.WireResponse;

/** Checks a server of Echo. */
final class Client {
  private static final int TIMEOUT_SECONDS = 20;
  private static final int MEBIBYTE = 1 << 20;

  private final Channel channel;

  private Client(Channel channel) {
    this.channel = channel;
  }

  private interface Check {
    void run() throws Exception;
  }

  private Map<String, Check> checks() {
    Map<String, Check> checks = new LinkedHashMap<>();
    checks.put("unary", this::unary);
    checks.put("empty message", () -> expect("response", say(request()), EchoResponse.getDefaultInstance()));
    checks.put("server stream", this::serverStream);
    checks.put("server stream of nothing", () -> expect("responses", count(request()).hasNext(), false));
    checks.put("server stream left early", this::serverStreamLeftEarly);
    checks.put("client stream", this::clientStream);
    checks.put("bidi stream in lockstep", this::bidiStreamInLockstep);
    checks.put("metadata", this::metadata);
    checks.put("error with details", () -> expectFailure("Grüße, 世界 🎶: 100 %\nsecond line"));
    checks.put("large trailers", () -> expectFailure("0123456789".repeat(800)));
    checks.put(
        "unimplemented",
        () ->
            expectCode(
                Status.Code.UNIMPLEMENTED,
                () -> ClientCalls.blockingUnaryCall(channel, MISSING, soon(), request().build())));
    checks.put("gzip", this::gzip);
    checks.put("mebibyte", this::mebibyte);
    checks.put(
        "request over the limit",
        () ->
            expectCode(
                Status.Code.RESOURCE_EXHAUSTED,
                () -> say(request().setPayload(ByteString.copyFrom(new byte[5 * MEBIBYTE])))));
    checks.put("deadline", this::deadline);
    checks.put("cancel", this::cancel);
    checks.put("many at once", this::manyAtOnce);
    return checks;
  }

  private void unary() {
    ByteString payload = ByteString.copyFrom(allBytes());
    EchoResponse want = EchoResponse.newBuilder().setText("jodeln").setPayload(payload).build();
    expect("response", say(request().setText("jodeln").setPayload(payload)), want);
  }

  private void serverStream() {
    Iterator<EchoResponse> responses = count(request().setText("x").setTimes(1000));
    int number = 0;
    while (responses.hasNext()) {
      expect("response", responses.next(), EchoResponse.newBuilder().setText("x").setIndex(number).build());
      number++;
    }
    expect("number of responses", number, 1000);
  }

  /** It leaves more unread than flow control lets through, and calls again. */
  private void serverStreamLeftEarly() throws Exception {
    EchoRequest request =
        request().setPayload(ByteString.copyFrom(new byte[MEBIBYTE])).setTimes(10).build();
    for (int i = 0; i < 20; i++) {
      ClientCall<EchoRequest, EchoResponse> call = channel.newCall(COUNT, soon());
      Responses responses = new Responses();
      ClientCalls.asyncServerStreamingCall(call, request, responses);
      responses.take();
      call.cancel("left early", null);
    }
    unary();
  }

  private void clientStream() throws Exception {
    Responses responses = new Responses();
    StreamObserver<EchoRequest> requests =
        ClientCalls.asyncClientStreamingCall(channel.newCall(JOIN, soon()), responses);
    for (int i = 0; i < 1000; i++) {
      requests.onNext(request().setText(Integer.toString(i % 10)).build());
    }
    requests.onCompleted();
    EchoResponse want = EchoResponse.newBuilder().setText("0123456789".repeat(100)).setIndex(1000).build();
    expect("response", responses.take(), want);
    responses.end(Status.Code.OK);
  }

  private void bidiStreamInLockstep() throws Exception {
    Responses responses = new Responses();
    StreamObserver<EchoRequest> requests =
        ClientCalls.asyncBidiStreamingCall(channel.newCall(CHAT, soon()), responses);
    for (int i = 0; i < 100; i++) {
      String text = Integer.toString(i);
      requests.onNext(request().setText(text).build());
      expect("response", responses.take(), EchoResponse.newBuilder().setText(text).setIndex(i).build());
    }
    requests.onCompleted();
    responses.end(Status.Code.OK);
  }

  private void metadata() {
    List<String> texts = List.of("first", "second, with a comma");
    List<byte[]> binaries = List.of(allBytes(), new byte[0]);
    Metadata sent = new Metadata();
    texts.forEach(text -> sent.put(Contract.ECHO, text));
    binaries.forEach(binary -> sent.put(Contract.ECHO_BIN, binary));
    AtomicReference<Metadata> header = new AtomicReference<>();
    AtomicReference<Metadata> trailer = new AtomicReference<>();
    Channel intercepted =
        ClientInterceptors.intercept(
            channel,
            MetadataUtils.newAttachHeadersInterceptor(sent),
            MetadataUtils.newCaptureMetadataInterceptor(header, trailer));
    ClientCalls.blockingUnaryCall(intercepted, SAY, soon(), request().build());
    expect("header x-echo", texts(header.get(), Contract.ECHO), texts);
    expect("trailer x-trailer", texts(trailer.get(), Contract.TRAILER), texts);
    expect("header x-echo-bin", binaries(header.get(), Contract.ECHO_BIN), binaries(sent, Contract.ECHO_BIN));
    expect("trailer x-trailer-bin", binaries(trailer.get(), Contract.TRAILER_BIN), binaries(sent, Contract.ECHO_BIN));
  }

  private static List<String> texts(Metadata metadata, Metadata.Key<String> key) {
    return metadata.containsKey(key) ? Lists.newArrayList(metadata.getAll(key)) : List.of();
  }

  private static List<ByteString> binaries(Metadata metadata, Metadata.Key<byte[]> key) {
    return metadata.containsKey(key)
        ? Lists.newArrayList(metadata.getAll(key)).stream().map(ByteString::copyFrom).toList()
        : List.of();
  }

  /** Expects the status that a server is asked for, in all its parts. */
  private void expectFailure(String message) throws Exception {
    Failure failure =
        Failure.newBuilder()
            .setCode(Status.Code.FAILED_PRECONDITION.value())
            .setMessage(message)
            .build();
    Map<String, Callable<?>> calls =
        Map.of(
            "unary", () -> say(request().setFailure(failure)),
            "stream", () -> count(request().setFailure(failure)).hasNext());
    for (Map.Entry<String, Callable<?>> call : calls.entrySet()) {
      String kind = call.getKey();
      StatusRuntimeException error = expectCode(Status.Code.FAILED_PRECONDITION, call.getValue());
      expect(kind + " message", error.getStatus().getDescription(), message);
      expect(kind + " detail", Contract.detail(error), failure);
    }
  }

  private void gzip() {
    ByteString payload = ByteString.copyFrom(new byte[MEBIBYTE]);
    Metadata sent = new Metadata();
    sent.put(Contract.COMPRESS, "gzip");
    Channel intercepted =
        ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(sent));
    WireResponse before = wire();
    EchoResponse response =
        ClientCalls.blockingUnaryCall(
            intercepted, SAY, soon().withCompression("gzip"), request().setPayload(payload).build());
    WireResponse after = wire();
    expect("payload is the same", response.getPayload().equals(payload), true);
    expect("request compressed", after.getReceived() - before.getReceived() < MEBIBYTE / 16, true);
    expect("response compressed", after.getSent() - before.getSent() < MEBIBYTE / 16, true);
  }

  private void mebibyte() {
    byte[] payload = new byte[MEBIBYTE];
    for (int i = 0; i < payload.length; i++) {
      payload[i] = (byte) i;
    }
    EchoResponse response = say(request().setPayload(ByteString.copyFrom(payload)));
    expect("payload is the same", Arrays.equals(response.getPayload().toByteArray(), payload), true);
  }

  private void deadline() throws Exception {
    EndedResponse before = ended();
    long began = System.nanoTime();
    expectCode(
        Status.Code.DEADLINE_EXCEEDED,
        () ->
            ClientCalls.blockingUnaryCall(
                channel,
                SAY,
                CallOptions.DEFAULT.withDeadlineAfter(300, TimeUnit.MILLISECONDS),
                request().setHang(true).build()));
    expect("ended in time", System.nanoTime() - began < TimeUnit.SECONDS.toNanos(5), true);
    awaitEnded(before.toBuilder().setWithDeadline(before.getWithDeadline() + 1).build());
  }

  private void cancel() throws Exception {
    EndedResponse before = ended();
    ClientCall<EchoRequest, EchoResponse> call = channel.newCall(CHAT, CallOptions.DEFAULT);
    Responses responses = new Responses();
    ClientCalls.asyncBidiStreamingCall(call, responses).onNext(request().setHang(true).build());
    // The answer shows that the handler has the request.
    responses.take();
    call.cancel("checked", null);
    responses.end(Status.Code.CANCELLED);
    awaitEnded(before.toBuilder().setWithoutDeadline(before.getWithoutDeadline() + 1).build());
  }

  private void manyAtOnce() throws Exception {
    List<ListenableFuture<EchoResponse>> calls = new ArrayList<>();
    for (int i = 0; i < 500; i++) {
      calls.add(
          ClientCalls.futureUnaryCall(
              channel.newCall(SAY, soon()), request().setText(Integer.toString(i)).build()));
    }
    List<EchoResponse> responses = Futures.allAsList(calls).get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
    for (int i = 0; i < responses.size(); i++) {
      expect("text", responses.get(i).getText(), Integer.toString(i));
    }
  }

  private static EchoRequest.Builder request() {
    return EchoRequest.newBuilder();
  }

  private static CallOptions soon() {
    return CallOptions.DEFAULT.withDeadlineAfter(TIMEOUT_SECONDS, TimeUnit.SECONDS);
  }

  private EchoResponse say(EchoRequest.Builder request) {
    return ClientCalls.blockingUnaryCall(channel, SAY, soon(), request.build());
  }

  private Iterator<EchoResponse> count(EchoRequest.Builder request) {
    return ClientCalls.blockingServerStreamingCall(channel, COUNT, soon(), request.build());
  }

  private WireResponse wire() {
    return ClientCalls.blockingUnaryCall(channel, WIRE, soon(), WireRequest.getDefaultInstance());
  }

  private EndedResponse ended() {
    return ClientCalls.blockingUnaryCall(channel, ENDED, soon(), EndedRequest.getDefaultInstance());
  }

  private void awaitEnded(EndedResponse want) throws InterruptedException {
    long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_SECONDS);
    while (true) {
      EndedResponse got = ended();
      if (got.equals(want)) {
        return;
      }
      if (System.nanoTime() > until) {
        expect("what the handlers saw", got, want);
      }
      Thread.sleep(20);
    }
  }

  private static byte[] allBytes() {
    byte[] bytes = new byte[256];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) i;
    }
    return bytes;
  }

  private static void expect(String what, Object got, Object want) {
    if (!got.equals(want)) {
      throw new AssertionError(what + ": got " + brief(got) + ", want " + brief(want));
    }
  }

  private static String brief(Object value) {
    String text = String.valueOf(value);
    return text.length() > 200 ? text.substring(0, 200) : text;
  }

  private static StatusRuntimeException expectCode(Status.Code code, Callable<?> call) throws Exception {
    try {
      call.call();
    } catch (StatusRuntimeException error) {
      expect("code of " + brief(error.getStatus().getDescription()), error.getStatus().getCode(), code);
      return error;
    }
    throw new AssertionError("the call did not fail");
  }

  /** Responses come one after another, and then a status. */
  private static final class Responses implements StreamObserver<EchoResponse> {
    private final BlockingQueue<Object> queue = new LinkedBlockingQueue<>();

    @Override
    public void onNext(EchoResponse response) {
      queue.add(response);
    }

    @Override
    public void onError(Throwable error) {
      queue.add(Status.fromThrowable(error));
    }

    @Override
    public void onCompleted() {
      queue.add(Status.OK);
    }

    private Object next() throws InterruptedException {
      Object next = queue.poll(TIMEOUT_SECONDS, TimeUnit.SECONDS);
      if (next == null) {
        throw new AssertionError("nothing came");
      }
      return next;
    }

    EchoResponse take() throws InterruptedException {
      Object next = next();
      if (next instanceof EchoResponse response) {
        return response;
      }
      throw new AssertionError("the call ended: " + next);
    }

    void end(Status.Code code) throws InterruptedException {
      Object next = next();
      if (!(next instanceof Status status) || status.getCode() != code) {
        throw new AssertionError("got " + brief(next) + ", want the end with " + code);
      }
    }
  }

  /** Prints the results, and returns the exit code. */
  static int check(String address, String ca) throws Exception {
    ChannelCredentials credentials =
        ca == null
            ? InsecureChannelCredentials.create()
            : TlsChannelCredentials.newBuilder().trustManager(new File(ca)).build();
    ManagedChannel channel =
        NettyChannelBuilder.forTarget(address, credentials)
            .maxInboundMetadataSize(64 << 10) // its default is 8 KiB
            .build();
    int passed = 0;
    int failed = 0;
    for (Map.Entry<String, Check> check : new Client(channel).checks().entrySet()) {
      try {
        check.getValue().run();
        passed++;
        System.out.println("ok\t" + check.getKey());
      } catch (Exception | AssertionError error) {
        failed++;
        System.out.println("FAIL\t" + check.getKey() + "\t" + brief(error).replaceAll("\\s+", " "));
      }
    }
    channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
    System.out.println(passed + " passed, " + failed + " failed");
    return failed > 0 ? 1 : 0;
  }
}
