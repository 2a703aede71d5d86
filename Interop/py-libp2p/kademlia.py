"""A py-libp2p node for the interop tests of the DHT (/ipfs/kad/1.0.0).

    kademlia.py serve KEY VALUE_KEY VALUE
                                provides KEY, holds VALUE under VALUE_KEY, and serves until its standard input ends
    kademlia.py seek ADDRESS KEY VALUE_KEY OWN_KEY OWN_VALUE_KEY VALUE
                                asks the node at ADDRESS (a multiaddr with /p2p/ID) who provides KEY and what VALUE_KEY holds, then provides
                                OWN_KEY, puts VALUE under OWN_VALUE_KEY, and serves until its standard input ends

Keys of providers are multihashes in hexadecimal, keys of values text, values hexadecimal. Results are JSON objects, one a line, on standard
output; `event` says what happened.
"""

import argparse
import os
import sys
import traceback

# First: it takes standard output for the results.
from peer import make_host, report

import multiaddr
import trio
from libp2p.kad_dht.kad_dht import DHTMode, KadDHT
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.tools.anyio_service import background_trio_service

LISTEN = [multiaddr.Multiaddr("/ip4/127.0.0.1/tcp/0")]


async def until_input_ends():
    stdin = trio.lowlevel.FdStream(os.dup(0))
    while await stdin.receive_some(1024):
        pass


async def run(body):
    host = make_host()
    async with host.run(listen_addrs=LISTEN):
        dht = KadDHT(host, DHTMode.SERVER)
        async with background_trio_service(dht):
            try:
                await body(host, dht)
            except BaseException as error:
                report("error", message=repr(error))
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)
            # The host leaves tasks behind.
            os._exit(0)


def serve(key, value_key, value):
    async def body(host, dht):
        await dht.provide(key)
        await dht.put_value(value_key, bytes.fromhex(value))
        peer = host.get_id().to_string()
        addresses = [str(a) for a in host.get_addrs()]
        report("listening", peer=peer, addresses=[a if "/p2p/" in a else f"{a}/p2p/{peer}" for a in addresses])
        await until_input_ends()

    return body


def seek(address, key, value_key, own_key, own_value_key, value):
    async def body(host, dht):
        info = info_from_p2p_addr(multiaddr.Multiaddr(address))
        await host.connect(info)
        await dht.add_peer(info.peer_id, skip_server_mode_check=True)
        report("connected", peer=info.peer_id.to_string(), local=host.get_id().to_string())
        providers = await dht.find_providers(key)
        report(
            "providers", count=len(providers), peer=providers[0].peer_id.to_string() if providers else None,
            addresses=[str(a) for p in providers for a in p.addrs],
        )
        found = await dht.get_value(value_key)
        report("value", message=found.hex() if found else None)
        report("provided", count=int(await dht.provide(own_key)))
        await dht.put_value(own_value_key, bytes.fromhex(value))
        report("done")
        await until_input_ends()

    return body


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    modes = parser.add_subparsers(dest="mode", required=True)
    for name, fields in (
        ("serve", ["key", "value_key", "value"]),
        ("seek", ["address", "key", "value_key", "own_key", "own_value_key", "value"]),
    ):
        mode = modes.add_parser(name)
        for field in fields:
            mode.add_argument(field)
    options = vars(parser.parse_args())
    body = {"serve": serve, "seek": seek}[options.pop("mode")]
    trio.run(run, body(**options))


if __name__ == "__main__":
    main()
