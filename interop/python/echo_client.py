"""Checks a Go server that serves Api and Echo.

python echo_client.py ADDRESS [CA [CLIENT_CERT CLIENT_KEY]]

It prints one line a check, "ok" or "FAIL", a tab, the check's name, and after
another tab what went wrong; then the line "done".
"""

import sys
import threading
import time
from concurrent import futures

import grpc
from grpc_status import rpc_status

import api_pb2
import api_pb2_grpc
import echo_pb2
import echo_pb2_grpc

TIMEOUT = 20
MEBIBYTE = 1 << 20
ALL_BYTES = bytes(range(256))


def expect(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r:.200}, want {want!r:.200}")


class Checks:
    def __init__(self, channel):
        self.channel = channel
        self.api = api_pb2_grpc.ApiStub(channel)
        self.echo = echo_pb2_grpc.EchoStub(channel)

    def say(self, **fields):
        return self.echo.Say(echo_pb2.EchoRequest(**fields), timeout=TIMEOUT)

    def check_hello(self):
        response = self.api.ApiEndpoint(
            api_pb2.ApiRequest(userName="Vikesh"), timeout=TIMEOUT
        )
        expect(response.resp, "Hello Vikesh", "resp")
        expect(str(response), 'resp: "Hello Vikesh"\n', "text form")

    def check_unary(self):
        response = self.say(text="jodeln", payload=ALL_BYTES)
        expect((response.text, response.payload), ("jodeln", ALL_BYTES), "response")

    def check_empty_message(self):
        expect(self.say(), echo_pb2.EchoResponse(), "response")

    def check_server_stream(self):
        request = echo_pb2.EchoRequest(text="x", times=1000)
        indexes = [r.index for r in self.echo.Count(request, timeout=TIMEOUT)]
        expect(indexes, list(range(1000)), "indexes")

    def check_server_stream_of_nothing(self):
        request = echo_pb2.EchoRequest(times=0)
        expect(list(self.echo.Count(request, timeout=TIMEOUT)), [], "responses")

    def check_client_stream(self):
        requests = (echo_pb2.EchoRequest(text=str(i % 10)) for i in range(1000))
        response = self.echo.Join(requests, timeout=TIMEOUT)
        expect(response.index, 1000, "number of requests")
        expect(response.text, "0123456789" * 100, "text")

    def check_bidi_stream_in_lockstep(self):
        answered = threading.Semaphore(1)

        def requests():
            for i in range(100):
                if not answered.acquire(timeout=TIMEOUT):
                    return
                yield echo_pb2.EchoRequest(text=str(i))

        count = 0
        for response in self.echo.Chat(requests(), timeout=TIMEOUT):
            expect((response.text, response.index), (str(count), count), "response")
            count += 1
            answered.release()
        expect(count, 100, "number of responses")

    def check_metadata(self):
        sent = (
            ("x-echo", "first"),
            ("x-echo", "second, with a comma"),
            ("x-echo-bin", ALL_BYTES),
            ("x-echo-bin", b""),
        )
        call = self.echo.Say.with_call(
            echo_pb2.EchoRequest(), timeout=TIMEOUT, metadata=sent
        )[1]
        headers = [p for p in call.initial_metadata() if p[0].startswith("x-echo")]
        trailers = [p for p in call.trailing_metadata() if p[0].startswith("x-trailer")]
        for name, got in (("x-echo", headers), ("x-trailer", trailers)):
            for suffix in ("", "-bin"):
                expect(
                    [value for key, value in got if key == name + suffix],
                    [value for key, value in sent if key == "x-echo" + suffix],
                    name + suffix,
                )

    def check_error_with_details(self):
        failure = echo_pb2.Failure(
            code=grpc.StatusCode.FAILED_PRECONDITION.value[0],
            message="Grüße, 世界 🎶: 100 %\nsecond line",
        )
        for kind, call in (
            ("unary", lambda r: self.echo.Say(r, timeout=TIMEOUT)),
            ("stream", lambda r: list(self.echo.Count(r, timeout=TIMEOUT))),
        ):
            try:
                call(echo_pb2.EchoRequest(failure=failure))
            except grpc.RpcError as error:
                expect(error.code(), grpc.StatusCode.FAILED_PRECONDITION, kind)
                expect(error.details(), failure.message, kind + " message")
                status = rpc_status.from_call(error)
                got = echo_pb2.Failure()
                expect(status.details[0].Unpack(got), True, kind + " detail's type")
                expect(got, failure, kind + " detail")
            else:
                raise AssertionError(kind + ": the call did not fail")

    def check_unimplemented(self):
        method = self.channel.unary_unary(
            "/yodel.interop.Echo/Missing",
            request_serializer=echo_pb2.EchoRequest.SerializeToString,
            response_deserializer=echo_pb2.EchoResponse.FromString,
        )
        self.expect_code(
            lambda: method(echo_pb2.EchoRequest(), timeout=TIMEOUT),
            grpc.StatusCode.UNIMPLEMENTED,
        )

    def check_gzip(self):
        request = echo_pb2.EchoRequest(payload=bytes(MEBIBYTE))
        before = self.echo.Wire(echo_pb2.WireRequest(), timeout=TIMEOUT)
        response = self.echo.Say(
            request,
            timeout=TIMEOUT,
            compression=grpc.Compression.Gzip,
            metadata=(("x-compress", "gzip"),),
        )
        after = self.echo.Wire(echo_pb2.WireRequest(), timeout=TIMEOUT)
        expect(response.payload, request.payload, "payload")
        limit = MEBIBYTE // 16
        expect(after.received - before.received < limit, True, "request compressed")
        expect(after.sent - before.sent < limit, True, "response compressed")

    def check_mebibyte(self):
        payload = ALL_BYTES * (MEBIBYTE // 256)
        expect(self.say(payload=payload).payload, payload, "payload")

    def check_request_over_the_limit(self):
        self.expect_code(
            lambda: self.say(payload=bytes(5 * MEBIBYTE)),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
        )

    def check_deadline(self):
        before = self.ended()
        began = time.monotonic()
        self.expect_code(
            lambda: self.echo.Say(echo_pb2.EchoRequest(hang=True), timeout=0.3),
            grpc.StatusCode.DEADLINE_EXCEEDED,
        )
        expect(time.monotonic() - began < 5, True, "ended in time")
        self.await_ended(before.with_deadline + 1, before.without_deadline)

    def check_cancel(self):
        before = self.ended()
        call = self.echo.Chat(iter([echo_pb2.EchoRequest(hang=True)]))
        # The answer shows that the handler has the request.
        next(call)
        call.cancel()
        self.expect_code(lambda: next(call), grpc.StatusCode.CANCELLED)
        self.await_ended(before.with_deadline, before.without_deadline + 1)

    def check_many_at_once(self):
        def one(i):
            return self.say(text=str(i)).text

        with futures.ThreadPoolExecutor(max_workers=32) as pool:
            expect(
                list(pool.map(one, range(500))), [str(i) for i in range(500)], "texts"
            )

    def expect_code(self, call, code):
        try:
            call()
        except grpc.RpcError as error:
            expect(error.code(), code, f"code of {error.details()!r}")
        else:
            raise AssertionError("the call did not fail")

    def ended(self):
        return self.echo.Ended(echo_pb2.EndedRequest(), timeout=TIMEOUT)

    def await_ended(self, with_deadline, without_deadline):
        until = time.monotonic() + TIMEOUT
        while True:
            got = self.ended()
            if (got.with_deadline, got.without_deadline) == (
                with_deadline,
                without_deadline,
            ):
                return
            if time.monotonic() > until:
                raise AssertionError(f"the handler did not see the end: {got}")
            time.sleep(0.02)


def open_channel(address, ca=None, cert=None, key=None):
    def read(name):
        if name is None:
            return None
        with open(name, "rb") as file:
            return file.read()

    if ca is None:
        return grpc.insecure_channel(address)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=read(ca), private_key=read(key), certificate_chain=read(cert)
    )
    return grpc.secure_channel(address, credentials)


def main():
    with open_channel(*sys.argv[1:]) as channel:
        checks = Checks(channel)
        for name in dir(Checks):
            if not name.startswith("check_"):
                continue
            title = name.removeprefix("check_").replace("_", " ")
            try:
                getattr(checks, name)()
            except Exception as error:  # a check may fail in any way
                reason = f"{type(error).__name__}: {error}".replace("\n", " ")
                print("FAIL", title, reason, sep="\t", flush=True)
            else:
                print("ok", title, sep="\t", flush=True)
    print("done", flush=True)


if __name__ == "__main__":
    main()
