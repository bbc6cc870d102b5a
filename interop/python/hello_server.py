"""The article's server: python hello_server.py ADDRESS

It prints the line "listening on PORT" when it listens, and stops when its
standard input ends.
"""

import sys
from concurrent import futures

import grpc

import api_pb2
import api_pb2_grpc


class Api(api_pb2_grpc.ApiServicer):
    def ApiEndpoint(self, request, context):
        return api_pb2.ApiResponse(resp="Hello " + request.userName)


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    api_pb2_grpc.add_ApiServicer_to_server(Api(), server)
    port = server.add_insecure_port(sys.argv[1])
    server.start()
    print("listening on", port, flush=True)
    sys.stdin.read()
    server.stop(grace=1).wait()


if __name__ == "__main__":
    main()
