import DIGCommandLine
import DIGIdentity
import DIGMultiformats
import DIGNatTools
import DIGNet
import DIGTraversal

/// How far links reach, and why relays that were named do not help.
struct LinkReach: Sendable {
    let network: NetworkManager
    let console: Console

    /// Whether somebody on another network can make use of one of these addresses.
    static func reachesOutside(_ addresses: [Multiaddr], policy: AddressPolicy) -> Bool {
        // A relay with an address of a private network was named by somebody who knows of others there.
        addresses.contains { policy.isPublic($0) || $0.relay != nil }
    }

    /// Says that a link is of no use elsewhere, before it is printed.
    func tell(_ addresses: [Multiaddr]) {
        let policy = self.network.configuration.traversal.addressPolicy
        guard !addresses.isEmpty, !Self.reachesOutside(addresses, policy: policy) else { return }
        let text = "whoever is on another network cannot use this link: nobody outside reaches this node yet"
        if self.network.configuration.traversal.relays.isEmpty {
            self.console.note("\(text); name a relay with --relay, or see what helps with: dig-nat doctor")
        } else {
            self.console.warning("\(text), as no relay has a place for it; the link is printed again when that changes")
        }
    }

    /// Says of each relay that was named, and has no place for this node by now, why: dials it to see.
    func explainRelays() async {
        let environment = await self.network.traversal.environment
        var relays: [PeerID: [Multiaddr]] = [:]
        for address in self.network.configuration.traversal.relays {
            guard let peer = address.peerID, !environment.relayAddresses.contains(where: { $0.relay == peer }) else { continue }
            relays[peer, default: []].append(address.removingPeerID())
        }
        await withTaskGroup(of: Void.self) { group in
            for (peer, addresses) in relays { group.addTask { await self.explain(peer, addresses) } }
        }
    }

    private func explain(_ peer: PeerID, _ addresses: [Multiaddr]) async {
        do {
            _ = try await self.network.swarm.connect(to: peer, addresses: addresses)
            let isPlaced = await self.network.traversal.environment.relayAddresses.contains { $0.relay == peer }
            if !isPlaced { self.console.warning("the relay \(peer) is connected, and has given this node no place yet: does it run with --serve-relay always?") }
        } catch {
            guard !Task.isCancelled else { return }
            self.console.warning("the relay \(peer) cannot be reached at \(addresses.map(\.description).joined(separator: ", ")): \(Self.cause(error))")
        }
    }

    /// On one line: each attempt of a dial has its own.
    private static func cause(_ error: any Error) -> String {
        "\(error)".split(separator: "\n").map { $0.drop { $0 == " " } }.joined(separator: "; ")
    }
}
