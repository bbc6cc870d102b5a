"""Checks a server of Echo by grpc.aio."""

import asyncio
import time

import echo_pb2
import echo_pb2_grpc
import failures
import grpc

TIMEOUT = 20
MEBIBYTE = 1 << 20
ALL_BYTES = bytes(range(256))


def expect(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r:.200}, want {want!r:.200}")


class Checks:
    def __init__(self, channel):
        self.channel = channel
        self.echo = echo_pb2_grpc.EchoStub(channel)

    async def say(self, **fields):
        return await self.echo.Say(echo_pb2.EchoRequest(**fields), timeout=TIMEOUT)

    async def check_unary(self):
        response = await self.say(text="jodeln", payload=ALL_BYTES)
        expect((response.text, response.payload), ("jodeln", ALL_BYTES), "response")

    async def check_empty_message(self):
        expect(await self.say(), echo_pb2.EchoResponse(), "response")

    async def check_server_stream(self):
        request = echo_pb2.EchoRequest(text="x", times=1000)
        indexes = [r.index async for r in self.echo.Count(request, timeout=TIMEOUT)]
        expect(indexes, list(range(1000)), "indexes")

    async def check_server_stream_of_nothing(self):
        call = self.echo.Count(echo_pb2.EchoRequest(), timeout=TIMEOUT)
        expect([r async for r in call], [], "responses")

    async def check_server_stream_left_early(self):
        request = echo_pb2.EchoRequest(payload=bytes(MEBIBYTE), times=10)
        for _ in range(20):
            call = self.echo.Count(request, timeout=TIMEOUT)
            await call.read()
            call.cancel()
        await self.check_unary()

    async def check_client_stream(self):
        call = self.echo.Join(timeout=TIMEOUT)
        for i in range(1000):
            await call.write(echo_pb2.EchoRequest(text=str(i % 10)))
        await call.done_writing()
        response = await call
        expect(response.index, 1000, "number of requests")
        expect(response.text, "0123456789" * 100, "text")

    async def check_bidi_stream_in_lockstep(self):
        call = self.echo.Chat(timeout=TIMEOUT)
        for i in range(100):
            await call.write(echo_pb2.EchoRequest(text=str(i)))
            response = await call.read()
            expect((response.text, response.index), (str(i), i), "response")
        await call.done_writing()
        expect(await call.read(), grpc.aio.EOF, "the end")
        expect(await call.code(), grpc.StatusCode.OK, "code")

    async def check_metadata(self):
        sent = (
            ("x-echo", "first"),
            ("x-echo", "second, with a comma"),
            ("x-echo-bin", ALL_BYTES),
            ("x-echo-bin", b""),
        )
        call = self.echo.Say(echo_pb2.EchoRequest(), timeout=TIMEOUT, metadata=sent)
        await call
        headers = list(await call.initial_metadata())
        trailers = list(await call.trailing_metadata())
        for name, got in (("x-echo", headers), ("x-trailer", trailers)):
            for suffix in ("", "-bin"):
                expect(
                    [value for key, value in got if key == name + suffix],
                    [value for key, value in sent if key == "x-echo" + suffix],
                    name + suffix,
                )

    async def check_error_with_details(self):
        await self.expect_failure(failures.utf8())

    async def check_large_trailers(self):
        await self.expect_failure(failures.large())

    async def check_unimplemented(self):
        method = self.channel.unary_unary(
            "/yodel.interop.Echo/Missing",
            request_serializer=echo_pb2.EchoRequest.SerializeToString,
            response_deserializer=echo_pb2.EchoResponse.FromString,
        )
        await self.expect_code(
            method(echo_pb2.EchoRequest(), timeout=TIMEOUT),
            grpc.StatusCode.UNIMPLEMENTED,
        )

    async def check_gzip(self):
        request = echo_pb2.EchoRequest(payload=bytes(MEBIBYTE))
        before = await self.echo.Wire(echo_pb2.WireRequest(), timeout=TIMEOUT)
        response = await self.echo.Say(
            request,
            timeout=TIMEOUT,
            compression=grpc.Compression.Gzip,
            metadata=(("x-compress", "gzip"),),
        )
        after = await self.echo.Wire(echo_pb2.WireRequest(), timeout=TIMEOUT)
        expect(response.payload, request.payload, "payload")
        limit = MEBIBYTE // 16
        expect(after.received - before.received < limit, True, "request compressed")
        expect(after.sent - before.sent < limit, True, "response compressed")

    async def check_mebibyte(self):
        payload = ALL_BYTES * (MEBIBYTE // 256)
        expect((await self.say(payload=payload)).payload, payload, "payload")

    async def check_request_over_the_limit(self):
        await self.expect_code(
            self.say(payload=bytes(5 * MEBIBYTE)),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
        )

    async def check_deadline(self):
        before = await self.ended()
        began = time.monotonic()
        await self.expect_code(
            self.echo.Say(echo_pb2.EchoRequest(hang=True), timeout=0.3),
            grpc.StatusCode.DEADLINE_EXCEEDED,
        )
        expect(time.monotonic() - began < 5, True, "ended in time")
        await self.await_ended(before.with_deadline + 1, before.without_deadline)

    async def check_cancel(self):
        before = await self.ended()
        call = self.echo.Chat()
        await call.write(echo_pb2.EchoRequest(hang=True))
        # The answer shows that the handler has the request.
        await call.read()
        call.cancel()
        expect(await call.code(), grpc.StatusCode.CANCELLED, "code")
        await self.await_ended(before.with_deadline, before.without_deadline + 1)

    async def check_many_at_once(self):
        texts = [str(i) for i in range(500)]
        responses = await asyncio.gather(*(self.say(text=text) for text in texts))
        expect([r.text for r in responses], texts, "texts")

    async def expect_failure(self, failure):
        """Expects the status that a server is asked for, in all its parts."""
        request = echo_pb2.EchoRequest(failure=failure)
        for kind, call in (("unary", self.echo.Say), ("stream", self.echo.Count)):
            call = call(request, timeout=TIMEOUT)
            try:
                await (call if kind == "unary" else call.read())
            except grpc.aio.AioRpcError as error:
                failures.expect(Ended(error), failure, kind)
            else:
                raise AssertionError(kind + ": the call did not fail")

    async def expect_code(self, call, code):
        try:
            await call
        except grpc.aio.AioRpcError as error:
            expect(error.code(), code, f"code of {error.details()!r}")
        else:
            raise AssertionError("the call did not fail")

    async def ended(self):
        return await self.echo.Ended(echo_pb2.EndedRequest(), timeout=TIMEOUT)

    async def await_ended(self, with_deadline, without_deadline):
        until = time.monotonic() + TIMEOUT
        while True:
            got = await self.ended()
            if (got.with_deadline, got.without_deadline) == (
                with_deadline,
                without_deadline,
            ):
                return
            if time.monotonic() > until:
                raise AssertionError(f"the handler did not see the end: {got}")
            await asyncio.sleep(0.02)


class Ended:
    """An error as rpc_status wants it: trailers are pairs, not a mapping."""

    def __init__(self, error):
        self.code = error.code
        self.details = error.details
        self._trailers = error.trailing_metadata()

    def trailing_metadata(self):
        return tuple(self._trailers)


async def check(address, ca=None):
    """Prints the results; returns the exit code."""
    passed = failed = 0
    async with failures.channel(grpc.aio, address, ca) as channel:
        checks = Checks(channel)
        for name in dir(Checks):
            if not name.startswith("check_"):
                continue
            title = name.removeprefix("check_").replace("_", " ")
            try:
                await getattr(checks, name)()
            except Exception as error:  # a check may fail in any way
                failed += 1
                reason = f"{type(error).__name__}: {error}".replace("\n", " ")
                print("FAIL", title, reason, sep="\t", flush=True)
            else:
                passed += 1
                print("ok", title, sep="\t", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0
