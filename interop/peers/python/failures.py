"""What the synchronous and the asynchronous client share."""

import echo_pb2
import grpc
from grpc_status import rpc_status

# C-core's default is 8 KiB of metadata.
METADATA_BYTES = 64 << 10


def large():
    """A failure that makes some 29 KiB of trailers."""
    return echo_pb2.Failure(
        code=grpc.StatusCode.FAILED_PRECONDITION.value[0], message="0123456789" * 800
    )


def utf8():
    return echo_pb2.Failure(
        code=grpc.StatusCode.FAILED_PRECONDITION.value[0],
        message="Grüße, 世界 🎶: 100 %\nsecond line",
    )


def expect(error, failure, kind):
    """Expects the error to be the failure, in all its parts."""
    if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
        raise AssertionError(f"{kind}: {error.code()}: {error.details()!r:.200}")
    if error.details() != failure.message:
        raise AssertionError(f"{kind}: message {error.details()!r:.200}")
    (detail,) = rpc_status.from_call(error).details
    got = echo_pb2.Failure()
    if not detail.Unpack(got) or got != failure:
        raise AssertionError(f"{kind}: detail {detail!r:.200}")


def channel(module, address, ca):
    """Opens a channel of grpc or of grpc.aio."""
    options = (
        ("grpc.max_metadata_size", METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", METADATA_BYTES),
    )
    if ca is None:
        return module.insecure_channel(address, options=options)
    with open(ca, "rb") as file:
        credentials = grpc.ssl_channel_credentials(root_certificates=file.read())
    return module.secure_channel(address, credentials, options=options)
