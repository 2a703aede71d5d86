"""A py-libp2p peer for the interop tests of circuit relay v2.

    relay.py serve              relays for others until its standard input ends
    relay.py reach RELAY        reserves a slot at RELAY (a multiaddr with /p2p/ID) and serves echo until its standard input ends
    relay.py dial CIRCUIT       connects through a relay (…/p2p/RELAY/p2p-circuit/p2p/ID) and has bytes echoed

Results are JSON objects, one a line, on standard output; `event` says what happened.
"""

import argparse
import os
import sys
import time
import traceback

# First: it takes standard output for the results.
from peer import echo_once, make_host, report

import multiaddr
import trio
from libp2p.custom_types import TProtocol
from libp2p.peer.envelope import unmarshal_envelope
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.relay.circuit_v2.config import RelayConfig, RelayRole
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage
from libp2p.relay.circuit_v2.protocol import PROTOCOL_ID as HOP, CircuitV2Protocol
from libp2p.relay.circuit_v2.transport import CircuitV2Transport
from libp2p.relay.circuit_v2.utils import read_delimited_msg, write_delimited_msg
from libp2p.tools.anyio_service import background_trio_service

LISTEN = [multiaddr.Multiaddr("/ip4/127.0.0.1/tcp/0")]


async def until_input_ends():
    stdin = trio.lowlevel.FdStream(os.dup(0))
    while await stdin.receive_some(1024):
        pass


async def reserve(host, relay):
    """Asks for a slot and checks what is granted."""
    stream = await host.new_stream(relay, [TProtocol(HOP)])
    await write_delimited_msg(stream, HopMessage(type=HopMessage.RESERVE))
    answer = await read_delimited_msg(stream, HopMessage)
    await stream.close()
    envelope = unmarshal_envelope(answer.reservation.voucher)
    envelope.validate("libp2p-relay-rsvp")
    if bytes(envelope.payload_type) != b"\x03\x02":
        raise ValueError(f"payload type {envelope.payload_type!r}")
    if ID.from_pubkey(envelope.public_key) != relay:
        raise ValueError("another key has signed the voucher")
    report(
        "reserved",
        message=str(answer.status),
        count=answer.reservation.expire - int(time.time()),
        bytes=answer.limit.data,
        seconds=answer.limit.duration,
        addresses=[str(multiaddr.Multiaddr(a)) for a in answer.reservation.addrs],
    )


async def run(body, roles):
    host = make_host()
    async with host.run(listen_addrs=LISTEN):
        protocol = CircuitV2Protocol(host, allow_hop=bool(roles & RelayRole.HOP))
        async with background_trio_service(protocol):
            await protocol.event_started.wait()
            try:
                await body(host, CircuitV2Transport(host, protocol, RelayConfig(roles=roles)))
            except BaseException as error:
                report("error", message=repr(error))
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)
            # The host leaves tasks behind.
            os._exit(0)


async def serve(host, transport):
    peer = host.get_id().to_string()
    addresses = [str(a) for a in host.get_addrs()]
    report("listening", peer=peer, addresses=[a if "/p2p/" in a else f"{a}/p2p/{peer}" for a in addresses])
    await until_input_ends()


def reach(relay):
    async def body(host, transport):
        info = info_from_p2p_addr(multiaddr.Multiaddr(relay))
        await host.connect(info)
        await reserve(host, info.peer_id)
        report("listening", peer=host.get_id().to_string(), addresses=[])
        await until_input_ends()

    return body


def dial(circuit, byte_count):
    async def body(host, transport):
        address = multiaddr.Multiaddr(circuit)
        relay, target = transport.parse_circuit_ma(address)
        await host.connect(info_from_p2p_addr(relay))
        await transport.dial(address)
        report("connected", peer=target.to_string(), local=host.get_id().to_string())
        await echo_once(host, target, byte_count)
        report("bulk", bytes=byte_count)
        report("done")

    return body


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    modes = parser.add_subparsers(dest="mode", required=True)
    modes.add_parser("serve")
    reaching = modes.add_parser("reach")
    reaching.add_argument("relay")
    dialing = modes.add_parser("dial")
    dialing.add_argument("circuit")
    dialing.add_argument("--bytes", type=int, default=10 * 1024 * 1024)
    options = parser.parse_args()
    if options.mode == "serve":
        trio.run(run, serve, RelayRole.HOP | RelayRole.STOP)
    elif options.mode == "reach":
        trio.run(run, reach(options.relay), RelayRole.STOP | RelayRole.CLIENT)
    else:
        trio.run(run, dial(options.circuit, options.bytes), RelayRole.STOP)


if __name__ == "__main__":
    main()
