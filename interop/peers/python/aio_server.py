"""Serves Echo by grpc.aio until the standard input ends."""

import asyncio
import sys

import echo_pb2
import echo_pb2_grpc
import grpc
from google.protobuf import any_pb2
from google.rpc import status_pb2
from grpc_status import rpc_status

# Seconds after which a handler gives up waiting for the end of its call.
HANG = 30


class Echo(echo_pb2_grpc.EchoServicer):
    def __init__(self):
        self._ended = echo_pb2.EndedResponse()

    async def Say(self, request, context):
        await self._begin(context)
        await self._obey(request, context)
        return echo_pb2.EchoResponse(text=request.text, payload=request.payload)

    async def Count(self, request, context):
        await self._begin(context)
        await self._obey(request, context)
        for index in range(request.times):
            yield echo_pb2.EchoResponse(
                text=request.text, payload=request.payload, index=index
            )

    async def Join(self, request_iterator, context):
        await self._begin(context)
        texts, payloads = [], []
        async for request in request_iterator:
            await self._obey(request, context)
            texts.append(request.text)
            payloads.append(request.payload)
        return echo_pb2.EchoResponse(
            text="".join(texts), payload=b"".join(payloads), index=len(texts)
        )

    async def Chat(self, request_iterator, context):
        await self._begin(context)
        index = 0
        async for request in request_iterator:
            await self._fail(request, context)
            # Not after the answer: grpc does not come back to the generator of
            # a call that has ended.
            if request.hang:
                self._count_end(context)
            yield echo_pb2.EchoResponse(
                text=request.text, payload=request.payload, index=index
            )
            index += 1
            if request.hang:
                await asyncio.sleep(HANG)

    async def Ended(self, request, context):
        return self._ended

    async def _begin(self, context):
        headers, trailers = [], []
        for key, value in context.invocation_metadata():
            if key in ("x-echo", "x-echo-bin"):
                headers.append((key, value))
                trailers.append((key.replace("echo", "trailer"), value))
            if key == "x-compress" and value == "gzip":
                context.set_compression(grpc.Compression.Gzip)
        await context.send_initial_metadata(headers)
        context.set_trailing_metadata(trailers)

    async def _obey(self, request, context):
        await self._fail(request, context)
        if request.hang:
            self._count_end(context)
            await asyncio.sleep(HANG)

    async def _fail(self, request, context):
        if request.HasField("failure"):
            detail = any_pb2.Any()
            detail.Pack(request.failure)
            status = rpc_status.to_status(
                status_pb2.Status(
                    code=request.failure.code,
                    message=request.failure.message,
                    details=[detail],
                )
            )
            await context.abort(status.code, status.details, status.trailing_metadata)

    def _count_end(self, context):
        """Counts the call when it ends, which cancels the handler."""
        remaining = context.time_remaining()
        # Without a deadline the time that remains is None, or years.
        with_deadline = remaining is not None and remaining < 3600

        def count(_):
            if with_deadline:
                self._ended.with_deadline += 1
            else:
                self._ended.without_deadline += 1

        context.add_done_callback(count)


def credentials(certificate, key):
    def read(name):
        with open(name, "rb") as file:
            return file.read()

    return grpc.ssl_server_credentials([(read(key), read(certificate))])


async def serve(address, *files):
    server = grpc.aio.server()
    echo_pb2_grpc.add_EchoServicer_to_server(Echo(), server)
    if files:
        port = server.add_secure_port(address, credentials(*files))
    else:
        port = server.add_insecure_port(address)
    await server.start()
    print("listening on", port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(grace=1)
