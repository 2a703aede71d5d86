public import DIGIdentity
import DIGMultiformats
import DIGNet
import Logging
import OrderedCollections
import Synchronization

extension KademliaService {
    /// Ours: the waits after the address could not be published; twice as long each time.
    private static let firstOverlayRetry: Duration = .seconds(5)
    private static let maximumOverlayRetry: Duration = .seconds(300)

    /// The overlay address of this node.
    public var overlayAddress: OverlayAddress { OverlayAddress(self.localPeer) }

    /// Puts into the DHT, under this node's overlay address, who it is and where, for ``KademliaConfiguration/providerLifetime``.
    ///
    /// - Throws: ``KademliaError`` `.noPeers`, `.notStored`; `IdentityError` if it can't be signed; `CancellationError`.
    @discardableResult
    public func publishOverlayAddress() async throws -> ProvideResult { try await self.publishOverlayAddress(isWithdrawn: false) }

    /// Tells the nodes that have it that nobody is there any more. They remember that for as long as the record would have lasted.
    ///
    /// - Throws: As ``publishOverlayAddress()``.
    @discardableResult
    public func withdrawOverlayAddress() async throws -> ProvideResult { try await self.publishOverlayAddress(isWithdrawn: true) }

    private func publishOverlayAddress(isWithdrawn: Bool) async throws -> ProvideResult {
        let key = OverlayAddressValidator.key(of: self.overlayAddress)
        let lifetime = UInt64(clamping: min(self.configuration.providerLifetime, .seconds(48 * 3600)).components.seconds) * 1000
        let statement = ProviderStatement(
            provider: self.localPeer, key: key, sequence: self.nextSequence(), expiresAtMilliseconds: WallClock.nowMilliseconds &+ lifetime,
            addresses: isWithdrawn ? [] : self.responder.filter(self.localAddresses()), isWithdrawn: isWithdrawn)
        return try await self.putValue(try statement.sealed(with: self.identity).encoded, under: key)
    }

    /// The peer that an overlay address names: who it is, and where as far as anybody knows. Nil if nobody has heard of it.
    ///
    /// The address itself is never dialed; the peer's id is checked against it.
    ///
    /// - Throws: ``KademliaError`` `.noPeers`; `CancellationError`.
    public func findPeer(_ address: OverlayAddress) async throws -> KademliaPeer? {
        let known = self.responder.state.withLock { state in
            state.connected.keys.first { address.names($0) } ?? state.table.entries.lazy.joined().map(\.peer.peer).first { address.names($0) }
        }
        if let known, let peer = try await self.findPeer(known) { return peer }
        guard let value = try await self.getValue(under: OverlayAddressValidator.key(of: address)) else { return nil }
        let statement: ProviderStatement
        // It was valid a moment ago.
        do throws(IdentityError) { statement = try ProviderStatement(opening: value) } catch { return nil }
        guard !statement.isWithdrawn, address.names(statement.provider) else { return nil }
        let addresses = self.responder.filter(statement.addresses)
        if !addresses.isEmpty { return KademliaPeer(statement.provider, addresses: addresses) }
        return try await self.findPeer(statement.provider) ?? KademliaPeer(statement.provider, addresses: [])
    }

    /// Publishes the overlay address, again before it is over and when this node's addresses change, until cancelled.
    func keepOverlayAddressPublished() async {
        // Programs that only ask something are gone before.
        do { try await Task.sleep(for: self.configuration.overlayAddressPatience) } catch { return }
        var retry = Self.firstOverlayRetry
        while !Task.isCancelled {
            let addresses = Set(self.localAddresses())
            var wait = min(self.configuration.reprovideInterval, self.configuration.providerLifetime / 2)
            do {
                try await self.publishOverlayAddress()
                retry = Self.firstOverlayRetry
            } catch is CancellationError {
                return
            } catch {
                self.logger.debug("overlay address not published", metadata: ["dig.kademlia.error": "\(error)"])
                wait = min(wait, retry)
                retry = min(retry * 2, Self.maximumOverlayRetry)
            }
            let end = ContinuousClock.now + wait
            while ContinuousClock.now < end, Set(self.localAddresses()) == addresses {
                do { try await Task.sleep(for: min(self.configuration.maintenanceInterval, wait)) } catch { return }
            }
        }
    }
}
