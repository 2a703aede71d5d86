public import DIGMultiformats
import DIGIdentity
import DIGNet
import Logging
import NIOCore
import Synchronization

extension Swarm {
    /// Accepts connections at every one of `addresses`, or at none.
    ///
    /// - Returns: The bound addresses in the same order, with the ports that the system chose; a wildcard stays one, see ``listenAddresses``.
    /// - Throws: The system's error for the first address that can't be bound; `ConnectionError` if no transport knows it.
    @discardableResult
    public func listen(on addresses: [Multiaddr]) async throws -> [Multiaddr] {
        let closed = ConnectionError(.closed, "the swarm is shut down")
        guard !self.state.withLock({ $0.isClosed }) else { throw closed }
        var listeners: [any Listener] = []
        do {
            for address in addresses {
                let address = address.removingPeerID()
                guard let transport = self.transports.first(where: { $0.canListen(on: address) }) else {
                    throw ConnectionError(.noCommonProtocol, "no transport listens on \(address)")
                }
                listeners.append(try await transport.listen(on: address) { channel, remote in self.accepted(channel, from: remote) })
            }
            try self.state.withLock { state throws(ConnectionError) in
                guard !state.isClosed else { throw closed }
                state.listeners += listeners
            }
        } catch {
            for listener in listeners { await listener.close() }
            throw error
        }
        self.addressesMayHaveChanged()
        self.watchInterfaces()
        return listeners.map(\.address)
    }

    /// The addresses listened on, with the addresses of the machine's interfaces in place of wildcards, loopback ones last.
    ///
    /// Link-local IPv6 addresses are left out: they mean nothing without a zone, and the zone means nothing to others. So is a listener that
    /// waits for circuits of whatever relay.
    public var listenAddresses: [Multiaddr] {
        let bound = self.state.withLock { $0.listeners.map(\.address) }
        let interfaces = bound.contains(where: \.isWildcard) ? self.configuration.interfaceAddresses() : []
        var seen: Set<Multiaddr> = []
        let all = bound.flatMap { $0.expanded(to: interfaces) }.filter { $0.components.first != .p2pCircuit && seen.insert($0).inserted }
        return all.filter { !$0.isLoopback } + all.filter(\.isLoopback)
    }

    private func accepted(_ channel: any Channel, from remote: Multiaddr) -> EventLoopFuture<Void> {
        // The address names a peer only on a circuit: then it has to be the one that the relay says is there.
        let upgrade = ConnectionUpgrade(
            role: self.roleChoice(ofAcceptedFrom: remote), expecting: remote.peerID, remoteAddress: remote, on: channel.eventLoop, swarm: self)
        let isAdmitted = self.state.withLock { state in
            guard !state.isClosed, state.inboundUpgrades.count < self.configuration.maximumInboundHandshakes else { return false }
            if let origin = Origin(remote) {
                let count = state.inboundUpgrades.values.count { Origin($0.remoteAddress) == origin }
                guard count < self.configuration.maximumInboundHandshakesPerAddress else { return false }
            }
            state.inboundUpgrades[ObjectIdentifier(upgrade)] = upgrade
            return true
        }
        upgrade.result.whenComplete { result in
            self.state.withLock { $0.inboundUpgrades[ObjectIdentifier(upgrade)] = nil }
            if case .failure(let error) = result {
                self.logger.debug(
                    "inbound handshake failed", metadata: ["dig.swarm.address": "\(remote)", "dig.swarm.error": "\(error)"])
            }
        }
        guard isAdmitted else {
            let error = ConnectionError(.limitExceeded, "too many handshakes are under way")
            upgrade.dialFailed(error)
            return channel.eventLoop.makeFailedFuture(error)
        }
        upgrade.limit(to: self.configuration.handshakeTimeout)
        return channel.eventLoop.makeCompletedFuture { try upgrade.start(on: channel) }
    }
}
