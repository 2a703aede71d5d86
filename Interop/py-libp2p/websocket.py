"""The peer of peer.py over WebSockets.

    websocket.py listen             serves at /ip4/127.0.0.1/tcp/PORT/ws until its standard input ends
    websocket.py dial ADDRESS       does every case against the peer at ADDRESS (a multiaddr with /ws and /p2p/ID)
"""

import argparse
import functools
import os

import peer as base  # takes standard output for results

import multiaddr
import trio

base.new_host = functools.partial(base.new_host, enable_websocket=True)


async def listen():
    host = base.make_host()
    async with host.run(listen_addrs=[multiaddr.Multiaddr("/ip4/127.0.0.1/tcp/0/ws")]):
        peer = host.get_id().to_string()
        addresses = [str(a) for a in host.get_addrs()]
        base.report("listening", peer=peer, addresses=[a if "/p2p/" in a else f"{a}/p2p/{peer}" for a in addresses])
        stdin = trio.lowlevel.FdStream(os.dup(0))
        while await stdin.receive_some(1024):
            pass
    # The host leaves tasks behind.
    os._exit(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    modes = parser.add_subparsers(dest="mode", required=True)
    modes.add_parser("listen")
    dialing = modes.add_parser("dial")
    dialing.add_argument("address")
    dialing.add_argument("--pings", type=int, default=200)
    dialing.add_argument("--streams", type=int, default=20)
    dialing.add_argument("--bytes", type=int, default=10 * 1024 * 1024)
    options = parser.parse_args()
    if options.mode == "listen":
        trio.run(listen)
    else:
        trio.run(base.dial, options.address, options)


if __name__ == "__main__":
    main()
