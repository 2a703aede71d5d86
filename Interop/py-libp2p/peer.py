"""A py-libp2p peer for the interop tests.

    peer.py listen              serves until its standard input ends
    peer.py dial ADDRESS        does every case against the peer at ADDRESS (a multiaddr with /p2p/ID)

Both serve identify, ping and /dig-test/echo/1.0.0, which sends back what it gets and ends its side when the other has.
Results are JSON objects, one a line, on standard output; `event` says what happened. The exit status of `dial` is 0 when every
case has passed.
"""

import argparse
import hashlib
import json
import os
import sys

# The library prints to standard output, which carries our results only.
results = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import multiaddr  # noqa: E402
import trio  # noqa: E402
from libp2p import generate_new_ed25519_identity, new_host  # noqa: E402
from libp2p.custom_types import TProtocol  # noqa: E402
from libp2p.host.ping import ID as PING, PingService, perform_ping_roundtrip  # noqa: E402
from libp2p.identity.identify.identify import ID as IDENTIFY, parse_identify_response  # noqa: E402
from libp2p.network.stream.exceptions import StreamEOF  # noqa: E402
from libp2p.peer.peerinfo import info_from_p2p_addr  # noqa: E402
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE, Transport as NoiseTransport  # noqa: E402
from libp2p.crypto.x25519 import create_new_key_pair as new_noise_key_pair  # noqa: E402
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX_ID, Yamux  # noqa: E402

ECHO = TProtocol("/dig-test/echo/1.0.0")
PIECE = 64 * 1024


def report(event, **fields):
    results.write(json.dumps({"event": event, **fields}) + "\n")
    results.flush()


async def read_some(stream):
    """The next bytes, or none at the end."""
    try:
        return await stream.read(PIECE)
    except StreamEOF:
        return b""


async def echo(stream):
    while data := await read_some(stream):
        await stream.write(data)
    await stream.close_write()
    await stream.close()


def make_host():
    key_pair = generate_new_ed25519_identity()
    noise = NoiseTransport(key_pair, noise_privkey=new_noise_key_pair().private_key)
    # Noise and Yamux only, or a fallback could hide a failure.
    host = new_host(key_pair=key_pair, sec_opt={NOISE: noise}, muxer_opt={TProtocol(YAMUX_ID): Yamux})
    host.set_stream_handler(ECHO, echo)
    host.set_stream_handler(PING, PingService(host).handle_ping)
    return host


async def listen(port):
    host = make_host()
    async with host.run(listen_addrs=[multiaddr.Multiaddr(f"/ip4/127.0.0.1/tcp/{port}")]):
        peer = host.get_id().to_string()
        addresses = [str(a) for a in host.get_addrs()]
        addresses = [a if "/p2p/" in a else f"{a}/p2p/{peer}" for a in addresses]
        report("listening", peer=peer, addresses=addresses)
        stdin = trio.lowlevel.FdStream(os.dup(0))
        while await stdin.receive_some(1024):
            pass
    # The host leaves tasks behind.
    os._exit(0)


async def identify(host, peer):
    stream = await host.new_stream(peer, [IDENTIFY])
    message = b""
    while data := await read_some(stream):
        message += data
    info = parse_identify_response(message)
    report(
        "identify",
        agent=info.agent_version,
        protocolVersion=info.protocol_version,
        protocols=list(info.protocols),
        addresses=[str(multiaddr.Multiaddr(a)) for a in info.listen_addrs],
        observed=str(multiaddr.Multiaddr(info.observed_addr)) if info.observed_addr else None,
        signedPeerRecord=len(info.signedPeerRecord),
    )
    await stream.close()


async def ping(host, peer, count):
    stream = await host.new_stream(peer, [PING])
    for _ in range(count):
        await perform_ping_roundtrip(stream)
    await stream.close()
    report("ping", count=count)


async def echo_once(host, peer, byte_count):
    """Sends bytes nobody can guess and compares what comes back, while it still sends."""
    stream = await host.new_stream(peer, [ECHO])
    sent, received = hashlib.sha256(), hashlib.sha256()
    received_count = 0

    async def send():
        left = byte_count
        block = os.urandom(min(PIECE, byte_count))
        while left:
            piece = block[: min(len(block), left)]
            sent.update(piece)
            await stream.write(piece)
            left -= len(piece)
        await stream.close_write()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        while data := await read_some(stream):
            received.update(data)
            received_count += len(data)
    await stream.close()
    if received_count != byte_count or sent.digest() != received.digest():
        raise ValueError(f"echo differs: {received_count} of {byte_count} bytes came back")


async def streams(host, peer, count):
    async with trio.open_nursery() as nursery:
        for index in range(count):
            nursery.start_soon(echo_once, host, peer, 10_000 + 997 * index)
    report("streams", count=count)


async def bulk(host, peer, byte_count):
    started = trio.current_time()
    await echo_once(host, peer, byte_count)
    report("bulk", bytes=byte_count, seconds=round(trio.current_time() - started, 3))


async def dial(address, options):
    host = make_host()
    info = info_from_p2p_addr(multiaddr.Multiaddr(address))
    async with host.run(listen_addrs=[multiaddr.Multiaddr("/ip4/127.0.0.1/tcp/0")]):
        try:
            await host.connect(info)
            report("connected", peer=info.peer_id.to_string(), local=host.get_id().to_string())
            await identify(host, info.peer_id)
            await ping(host, info.peer_id, options.pings)
            await streams(host, info.peer_id, options.streams)
            await bulk(host, info.peer_id, options.bytes)
            report("done")
        except BaseException as error:
            report("error", message=repr(error))
            import traceback

            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    os._exit(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    modes = parser.add_subparsers(dest="mode", required=True)
    listening = modes.add_parser("listen")
    listening.add_argument("--port", type=int, default=0)
    dialing = modes.add_parser("dial")
    dialing.add_argument("address")
    dialing.add_argument("--pings", type=int, default=1000)
    dialing.add_argument("--streams", type=int, default=100)
    dialing.add_argument("--bytes", type=int, default=100 * 1024 * 1024)
    options = parser.parse_args()
    if options.mode == "listen":
        trio.run(listen, options.port)
    else:
        trio.run(dial, options.address, options)


if __name__ == "__main__":
    main()
