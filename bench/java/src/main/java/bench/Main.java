package bench;

/** grpc-java as a stack of the benchmarks. */
public final class Main {
  private Main() {}

  public static void main(String[] args) throws Exception {
    if (args.length != 2) {
      System.err.println("usage: bench.Main role-server|role-client SPEC: the driver starts it");
      System.exit(2);
    }
    Wire.Spec spec = Wire.spec(args[1]);
    switch (spec.supported() ? args[0] : "") {
      case "role-server" -> EchoServer.run(spec);
      case "role-client" -> Client.run(spec);
      default -> Wire.say(Wire.Answer.unsupported());
    }
    // Netty's threads and calls in flight would keep it.
    Runtime.getRuntime().halt(0);
  }
}
