"""grpcio's asyncio interface as a peer: see interop/internal/peer.

python aio.py client ADDRESS [CA]
python aio.py server ADDRESS [CERTIFICATE KEY]
"""

import asyncio
import sys

import aio_client
import aio_server


def main():
    end, *arguments = sys.argv[1:]
    if end == "client":
        sys.exit(asyncio.run(aio_client.check(*arguments)))
    elif end == "server":
        asyncio.run(aio_server.serve(*arguments))
    else:
        sys.exit("the first argument is client or server")


if __name__ == "__main__":
    main()
