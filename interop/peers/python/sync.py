"""grpcio as a peer: see interop/internal/peer.

python sync.py client ADDRESS [CA]
python sync.py server ADDRESS [CERTIFICATE KEY]

Both ends are those of interop/python; the client checks a little more here.
"""

import sys

import echo_client
import echo_pb2
import echo_server
import failures
import grpc


class Checks(echo_client.Checks):
    def check_server_stream_left_early(self):
        request = echo_pb2.EchoRequest(payload=bytes(echo_client.MEBIBYTE), times=10)
        for _ in range(20):
            call = self.echo.Count(request, timeout=echo_client.TIMEOUT)
            next(call)
            call.cancel()
        self.check_unary()

    def check_large_trailers(self):
        failure = failures.large()
        for kind, call in (
            ("unary", lambda r: self.echo.Say(r, timeout=echo_client.TIMEOUT)),
            ("stream", lambda r: list(self.echo.Count(r, timeout=echo_client.TIMEOUT))),
        ):
            try:
                call(echo_pb2.EchoRequest(failure=failure))
            except grpc.RpcError as error:
                failures.expect(error, failure, kind)
            else:
                raise AssertionError(kind + ": the call did not fail")


def check(address, ca=None):
    passed = failed = 0
    with failures.channel(grpc, address, ca) as channel:
        checks = Checks(channel)
        for name in dir(Checks):
            if not name.startswith("check_") or name == "check_hello":
                continue
            title = name.removeprefix("check_").replace("_", " ")
            try:
                getattr(checks, name)()
            except Exception as error:  # a check may fail in any way
                failed += 1
                reason = f"{type(error).__name__}: {error}".replace("\n", " ")
                print("FAIL", title, reason, sep="\t", flush=True)
            else:
                passed += 1
                print("ok", title, sep="\t", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)


def main():
    end, *arguments = sys.argv[1:]
    if end == "client":
        check(*arguments)
    elif end == "server":
        sys.argv[1:] = arguments
        echo_server.main()
    else:
        sys.exit("the first argument is client or server")


if __name__ == "__main__":
    main()
