"""AutoNAT v1 of py-libp2p for the interop tests.

    autonat.py serve                serves until its standard input ends
    autonat.py ask ADDRESS          asks the peer at ADDRESS (a multiaddr with /p2p/ID) to dial this node: at its own addresses, at a port
                                    where nobody listens, and at another machine's

Results are JSON objects, one a line, on standard output; `event` says what happened. `ask` ends with `done` when the answers are those of
the specification.
"""

import argparse
import os
import sys

import peer as base  # takes standard output for results

import multiaddr
import trio
from libp2p.host.autonat import AutoNATService
from libp2p.host.autonat.pb.autonat_pb2 import Message
from libp2p.peer.peerinfo import info_from_p2p_addr

LISTEN = [multiaddr.Multiaddr("/ip4/127.0.0.1/tcp/0")]


async def serve():
    host = base.make_host()
    AutoNATService(host)
    async with host.run(listen_addrs=LISTEN):
        peer = host.get_id().to_string()
        addresses = [str(a) for a in host.get_addrs()]
        base.report("listening", peer=peer, addresses=[a if "/p2p/" in a else f"{a}/p2p/{peer}" for a in addresses])
        stdin = trio.lowlevel.FdStream(os.dup(0))
        while await stdin.receive_some(1024):
            pass
    # The host leaves tasks behind.
    os._exit(0)


async def ask(address):
    host = base.make_host()
    service = AutoNATService(host, serve=False)
    info = info_from_p2p_addr(multiaddr.Multiaddr(address))
    async with host.run(listen_addrs=LISTEN):
        try:
            await host.connect(info)
            base.report("connected", peer=info.peer_id.to_string(), local=host.get_id().to_string())
            cases = [
                (None, Message.OK),
                (["/ip4/127.0.0.1/tcp/1"], Message.E_DIAL_ERROR),
                (["/ip4/127.0.0.9/tcp/80"], Message.E_DIAL_REFUSED),
            ]
            for addresses, expected in cases:
                raw = [multiaddr.Multiaddr(a).to_bytes() for a in addresses] if addresses else None
                status, dialed = await service.query_server(info.peer_id, raw)
                base.report(
                    "answer", count=status, message=str(multiaddr.Multiaddr(dialed)) if dialed else None,
                    addresses=addresses or [str(a) for a in host.get_addrs()],
                )
                if status != expected:
                    raise ValueError(f"status {status} for {addresses}, not {expected}")
            base.report("done")
        except BaseException as error:
            base.report("error", message=repr(error))
            import traceback

            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    os._exit(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    modes = parser.add_subparsers(dest="mode", required=True)
    modes.add_parser("serve")
    modes.add_parser("ask").add_argument("address")
    options = parser.parse_args()
    if options.mode == "serve":
        trio.run(serve)
    else:
        trio.run(ask, options.address)


if __name__ == "__main__":
    main()
