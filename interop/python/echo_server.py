"""Serves Api and Echo, plain or over TLS, until its standard input ends.

python echo_server.py ADDRESS [CERT KEY [CLIENT_CA]]

It prints the line "listening on PORT" when it listens.
"""

import sys
import threading
from concurrent import futures

import grpc
from google.protobuf import any_pb2
from google.rpc import status_pb2
from grpc_status import rpc_status

import api_pb2_grpc
import echo_pb2
import echo_pb2_grpc
from hello_server import Api


class Echo(echo_pb2_grpc.EchoServicer):
    def __init__(self):
        self._lock = threading.Lock()
        self._with_deadline = 0
        self._without_deadline = 0

    def Say(self, request, context):
        self._begin(context)
        self._obey(request, context)
        return echo_pb2.EchoResponse(text=request.text, payload=request.payload)

    def Count(self, request, context):
        self._begin(context)
        self._obey(request, context)
        for index in range(request.times):
            yield echo_pb2.EchoResponse(
                text=request.text, payload=request.payload, index=index
            )

    def Join(self, request_iterator, context):
        self._begin(context)
        texts, payloads = [], []
        for request in request_iterator:
            self._obey(request, context)
            texts.append(request.text)
            payloads.append(request.payload)
        return echo_pb2.EchoResponse(
            text="".join(texts), payload=b"".join(payloads), index=len(texts)
        )

    def Chat(self, request_iterator, context):
        self._begin(context)
        for index, request in enumerate(request_iterator):
            self._fail(request, context)
            # Not after the answer: grpc does not come back to the generator of
            # a call that has ended.
            ended = self._expect_end(context) if request.hang else None
            yield echo_pb2.EchoResponse(
                text=request.text, payload=request.payload, index=index
            )
            if ended:
                ended.wait(30)

    def Ended(self, request, context):
        with self._lock:
            return echo_pb2.EndedResponse(
                with_deadline=self._with_deadline,
                without_deadline=self._without_deadline,
            )

    def _begin(self, context):
        headers, trailers = [], []
        for key, value in context.invocation_metadata():
            if key in ("x-echo", "x-echo-bin"):
                headers.append((key, value))
                trailers.append((key.replace("echo", "trailer"), value))
            if key == "x-compress" and value == "gzip":
                context.set_compression(grpc.Compression.Gzip)
        context.send_initial_metadata(headers)
        context.set_trailing_metadata(trailers)

    def _obey(self, request, context):
        self._fail(request, context)
        if request.hang:
            self._expect_end(context).wait(30)

    def _fail(self, request, context):
        if request.HasField("failure"):
            detail = any_pb2.Any()
            detail.Pack(request.failure)
            context.abort_with_status(
                rpc_status.to_status(
                    status_pb2.Status(
                        code=request.failure.code,
                        message=request.failure.message,
                        details=[detail],
                    )
                )
            )

    def _expect_end(self, context):
        """Counts the call when it ends; returns an event that is set then."""
        remaining = context.time_remaining()
        # Without a deadline the time that remains is None, or years.
        with_deadline = remaining is not None and remaining < 3600
        ended = threading.Event()

        def count():
            with self._lock:
                if with_deadline:
                    self._with_deadline += 1
                else:
                    self._without_deadline += 1
            ended.set()

        if not context.add_callback(count):
            count()
        return ended


def credentials(cert, key, client_ca=None):
    def read(name):
        with open(name, "rb") as file:
            return file.read()

    return grpc.ssl_server_credentials(
        [(read(key), read(cert))],
        root_certificates=read(client_ca) if client_ca else None,
        require_client_auth=client_ca is not None,
    )


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
    api_pb2_grpc.add_ApiServicer_to_server(Api(), server)
    echo_pb2_grpc.add_EchoServicer_to_server(Echo(), server)
    if len(sys.argv) > 2:
        port = server.add_secure_port(sys.argv[1], credentials(*sys.argv[2:]))
    else:
        port = server.add_insecure_port(sys.argv[1])
    server.start()
    print("listening on", port, flush=True)
    sys.stdin.read()
    server.stop(grace=1).wait()


if __name__ == "__main__":
    main()
