"""A python-zeroconf peer for the interop tests of local discovery.

    peer.py browse                      looks for libp2p peers until its standard input ends
    peer.py announce MULTIADDR...       announces a libp2p peer until its standard input ends, then says goodbye

Each MULTIADDR ends in /p2p/ID. Only the interface with the address given by --interface is used, 127.0.0.1 unless told otherwise.
Results are JSON objects, one a line, on standard output; `event` says what happened: `ready`, `found`, `updated` (with `name`, `host`,
`port`, `ips`, `addresses`) and `removed` (with `name`), for the service type itself `type`.
"""

import argparse
import json
import random
import socket
import string
import sys

from zeroconf import ServiceBrowser, ServiceInfo, ServiceListener, Zeroconf

SERVICE = "_p2p._udp.local."


def report(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def strings(text):
    """The character strings of a TXT record. zeroconf's own mapping keeps one value for each key."""
    result = []
    while text:
        result.append(text[1 : 1 + text[0]].decode("utf-8", "replace"))
        text = text[1 + text[0] :]
    return result


class Listener(ServiceListener):
    def add_service(self, zeroconf, kind, name):
        self.tell("found", zeroconf, kind, name)

    def update_service(self, zeroconf, kind, name):
        self.tell("updated", zeroconf, kind, name)

    def remove_service(self, zeroconf, kind, name):
        report("removed", name=name)

    def tell(self, event, zeroconf, kind, name):
        # Asks for whatever the announcement did not carry.
        info = zeroconf.get_service_info(kind, name, timeout=3000)
        if info is None:
            report("silent", name=name)
            return
        attributes = strings(info.text)
        report(
            event,
            name=name,
            host=info.server,
            port=info.port,
            ips=info.parsed_addresses(),
            addresses=[a.removeprefix("dnsaddr=") for a in attributes if a.startswith("dnsaddr=")],
        )


def ip_addresses(multiaddrs):
    found = []
    for address in multiaddrs:
        _, family, ip, *_ = address.split("/")
        if family in ("ip4", "ip6"):
            packed = socket.inet_pton(socket.AF_INET if family == "ip4" else socket.AF_INET6, ip)
            if packed not in found:
                found.append(packed)
    return found


def announce(zeroconf, multiaddrs):
    name = "".join(random.choice(string.ascii_lowercase + string.digits) for _ in range(40))
    text = b"".join(bytes([len(a) + 8]) + b"dnsaddr=" + a.encode() for a in multiaddrs)
    zeroconf.register_service(
        ServiceInfo(
            SERVICE, f"{name}.{SERVICE}", port=4001, addresses=ip_addresses(multiaddrs), server=f"{name}.p2p.local.", properties=text
        )
    )
    return name


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--interface", default="127.0.0.1")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("browse")
    commands.add_parser("announce").add_argument("multiaddrs", nargs="+")
    arguments = parser.parse_args()

    zeroconf = Zeroconf(interfaces=[arguments.interface])
    try:
        if arguments.command == "browse":
            ServiceBrowser(zeroconf, SERVICE, Listener())
            report("ready")
        else:
            report("ready", name=announce(zeroconf, arguments.multiaddrs))
        sys.stdin.read()
        zeroconf.unregister_all_services()
    finally:
        zeroconf.close()


if __name__ == "__main__":
    main()
