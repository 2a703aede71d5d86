"""A py-libp2p peer for the interop tests of DCUtR (direct connection upgrade through a relay).

    dcutr.py reach RELAY        reserves a slot at RELAY (a multiaddr with /p2p/ID) and begins a punch with whoever dials through it
    dcutr.py dial CIRCUIT       connects through a relay (…/p2p/RELAY/p2p-circuit/p2p/ID) and answers the punch that the other end begins

Both serve echo and report `direct` when there is a connection that does not lead through the relay; then they go on until their standard input
ends. py-libp2p's own ordinary dials to the peer are off: where they succeed, and on loopback they always do, there is nothing to punch.

Results are JSON objects, one a line, on standard output; `event` says what happened.
"""

import argparse
import logging
import sys

# First: it takes standard output for the results.
from peer import make_host, report
from relay import reserve, until_input_ends

import os
import traceback

import multiaddr
import trio
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.relay.circuit_v2.config import RelayConfig, RelayRole
from libp2p.relay.circuit_v2.dcutr import DCUtRProtocol
from libp2p.relay.circuit_v2.protocol import CircuitV2Protocol
from libp2p.relay.circuit_v2.transport import CircuitV2Transport
from libp2p.tools.anyio_service import background_trio_service


class PunchingOnly(DCUtRProtocol):
    """Dials because of CONNECT and SYNC only, and begins only when told to."""

    async def _try_unilateral_upgrade(self, peer_id):
        return False

    async def _auto_drive_loop(self):
        await trio.sleep_forever()


def relayed_peers(host, but):
    """The peers that have a connection through a relay."""
    for peer, connections in list(host.get_network().connections.items()):
        for connection in connections if isinstance(connections, list) else [connections]:
            addresses = connection.get_transport_addresses()
            if peer != but and addresses and all("/p2p-circuit" in str(a) for a in addresses):
                yield peer


async def wait_for_direct(host, dcutr, peer, seconds):
    with trio.fail_after(seconds):
        while not await dcutr._verify_direct_connection(peer):
            await trio.sleep(0.05)
    report("direct", peer=peer.to_string())


async def reach(host, transport, dcutr, options):
    relay = info_from_p2p_addr(multiaddr.Multiaddr(options.relay))
    await host.connect(relay)
    await reserve(host, relay.peer_id)
    report("listening", peer=host.get_id().to_string(), addresses=[])
    with trio.fail_after(options.timeout):
        while not (peer := next(relayed_peers(host, relay.peer_id), None)):
            await trio.sleep(0.05)
    report("relayed", peer=peer.to_string())
    punched = await dcutr.initiate_hole_punch(peer)
    report("punched", count=int(punched))
    await wait_for_direct(host, dcutr, peer, options.timeout)


async def dial(host, transport, dcutr, options):
    address = multiaddr.Multiaddr(options.circuit)
    relay, target = transport.parse_circuit_ma(address)
    await host.connect(info_from_p2p_addr(relay))
    await transport.dial(address)
    report("connected", peer=target.to_string(), local=host.get_id().to_string())
    await wait_for_direct(host, dcutr, target, options.timeout)


async def run(body, options):
    host = make_host()
    async with host.run(listen_addrs=[multiaddr.Multiaddr(options.listen)]):
        protocol = CircuitV2Protocol(host, allow_hop=False)
        dcutr = PunchingOnly(host)
        async with background_trio_service(protocol), background_trio_service(dcutr):
            await protocol.event_started.wait()
            await dcutr.event_started.wait()
            try:
                roles = RelayRole.STOP | RelayRole.CLIENT
                await body(host, CircuitV2Transport(host, protocol, RelayConfig(roles=roles)), dcutr, options)
                await until_input_ends()
            except BaseException as error:
                report("error", message=repr(error))
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)
            # The host leaves tasks behind.
            os._exit(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", default="/ip4/127.0.0.1/tcp/0")
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--verbose", action="store_true")
    modes = parser.add_subparsers(dest="mode", required=True)
    modes.add_parser("reach").add_argument("relay")
    modes.add_parser("dial").add_argument("circuit")
    options = parser.parse_args()
    if options.verbose:
        logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
        logging.getLogger("libp2p.relay.circuit_v2.dcutr").setLevel(logging.DEBUG)
    trio.run(run, reach if options.mode == "reach" else dial, options)


if __name__ == "__main__":
    main()
