"""The article's client: python hello_client.py ADDRESS [NAME]"""

import sys

import grpc

import api_pb2
import api_pb2_grpc


def main():
    address = sys.argv[1]
    name = sys.argv[2] if len(sys.argv) > 2 else "Vikesh"
    with grpc.insecure_channel(address) as channel:
        stub = api_pb2_grpc.ApiStub(channel)
        print(stub.ApiEndpoint(api_pb2.ApiRequest(userName=name), timeout=20))


if __name__ == "__main__":
    main()
