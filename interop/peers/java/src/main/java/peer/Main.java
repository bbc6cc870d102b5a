package peer;

/**
 * grpc-java as a peer: see interop/internal/peer.
 *
 * <pre>
 * peer.Main client ADDRESS [CA]
 * peer.Main server ADDRESS [CERTIFICATE KEY]
 * </pre>
 */
public final class Main {
  private Main() {}

  public static void main(String[] args) throws Exception {
    switch (args.length == 0 ? "" : args[0]) {
      case "client" -> System.exit(Client.check(args[1], args.length > 2 ? args[2] : null));
      case "server" -> EchoServer.serve(args[1], args.length > 2 ? args[2] : null, args.length > 3 ? args[3] : null);
      default -> {
        System.err.println("the first argument is client or server");
        System.exit(2);
      }
    }
  }
}
