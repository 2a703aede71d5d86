"""A py-libp2p node for the interop tests of gossipsub.

    gossipsub.py [--degree D] PROTOCOL TOPIC [ADDRESS]
                                subscribes to TOPIC, connects to ADDRESS (a multiaddr with /p2p/ID) if there is one, and reports what it gets
                                until its standard input ends

PROTOCOL is /meshsub/1.1.0 or /meshsub/1.0.0. Each line of standard input is a message to publish, in hexadecimal; `unsubscribe` leaves the topic.
Results are JSON objects, one a line, on standard output; `event` says what happened.
"""

import argparse
import os
import sys
import traceback

# First: it takes standard output for the results.
from peer import make_host, report

import multiaddr
import trio
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pubsub import Pubsub
from libp2p.tools.anyio_service import background_trio_service

LISTEN = [multiaddr.Multiaddr("/ip4/127.0.0.1/tcp/0")]


async def read(subscription):
    while True:
        try:
            message = await subscription.get()
        except trio.EndOfChannel:
            return
        report("message", peer=ID(message.from_id).to_string(), message=message.data.hex())


async def watch(pubsub, router, topic):
    """Says who has subscribed, and who is in the mesh, whenever that changes."""
    peers, mesh = set(), set()
    while True:
        now = {peer.to_string() for peer in pubsub.peer_topics.get(topic, set())}
        for peer in now - peers:
            report("subscribed", peer=peer)
        for peer in peers - now:
            report("unsubscribed", peer=peer)
        grafted = {peer.to_string() for peer in router.mesh.get(topic, set())}
        for peer in grafted - mesh:
            report("grafted", peer=peer)
        for peer in mesh - grafted:
            report("pruned", peer=peer)
        peers, mesh = now, grafted
        await trio.sleep(0.05)


async def follow_input(pubsub, topic):
    stdin = trio.lowlevel.FdStream(os.dup(0))
    rest = b""
    while data := await stdin.receive_some(65536):
        rest += data
        while b"\n" in rest:
            line, rest = rest.split(b"\n", 1)
            if line == b"unsubscribe":
                await pubsub.unsubscribe(topic)
            else:
                await pubsub.publish(topic, bytes.fromhex(line.decode()))


async def run(protocol, topic, address, degree):
    host = make_host()
    # Its protection against eclipses, and its scores, graft more peers than the degree says.
    router = GossipSub(
        protocols=[TProtocol(protocol)], degree=degree, degree_low=min(4, degree), degree_high=12, heartbeat_interval=1,
        eclipse_protection_enabled=degree > 1,
    )
    if degree == 1:
        router.scorer = None
    pubsub = Pubsub(host, router, strict_signing=True)
    async with host.run(listen_addrs=LISTEN), background_trio_service(pubsub), background_trio_service(router):
        try:
            await pubsub.wait_until_ready()
            subscription = await pubsub.subscribe(topic)
            peer = host.get_id().to_string()
            addresses = [str(a) for a in host.get_addrs()]
            report("listening", peer=peer, addresses=[a if "/p2p/" in a else f"{a}/p2p/{peer}" for a in addresses])
            if address:
                await host.connect(info_from_p2p_addr(multiaddr.Multiaddr(address)))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read, subscription)
                nursery.start_soon(watch, pubsub, router, topic)
                await follow_input(pubsub, topic)
                nursery.cancel_scope.cancel()
        except BaseException as error:
            report("error", message=repr(error))
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        # The host leaves tasks behind.
        os._exit(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--degree", type=int, default=6)
    parser.add_argument("protocol")
    parser.add_argument("topic")
    parser.add_argument("address", nargs="?")
    options = parser.parse_args()
    trio.run(run, options.protocol, options.topic, options.address, options.degree)


if __name__ == "__main__":
    main()
