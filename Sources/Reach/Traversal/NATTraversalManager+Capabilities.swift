import DIGAutoNAT
import DIGCircuitRelay
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGPortMapping
import DIGSTUN
import DIGSwarm
import Logging
import Synchronization

extension NATTraversalManager {
    /// A record of this node's, ready to be sent.
    struct SignedRecord: Sendable {
        var record: PeerConnectionCapabilities
        var envelope: SignedEnvelope
    }

    // MARK: This node's record

    /// How long a signature serves while nothing changes: whoever asks again and again costs no more than the bytes.
    private static let recordLifetimeMilliseconds: UInt64 = 10 * 60 * 1000

    /// What everybody may know: an encoded, signed record without private addresses.
    ///
    /// - Throws: `IdentityError` if it can't be signed.
    package func publicCapabilities() throws -> [UInt8] { try self.signedCapabilities(withPrivateAddresses: false).encoded }

    /// What the peer of `connection` is told. Private addresses only on the local network: elsewhere they are of no use, and nobody's business.
    func signedCapabilities(for connection: any Connection) throws -> SignedEnvelope {
        try self.signedCapabilities(withPrivateAddresses: !connection.isRelayed && !self.configuration.addressPolicy.isPublic(connection.remoteAddress))
    }

    private func signedCapabilities(withPrivateAddresses isLocal: Bool) throws -> SignedEnvelope {
        let record = self.ownCapabilities(withPrivateAddresses: isLocal)
        if let known = self.state.withLock({ $0.ownRecords[isLocal] }), record.issuedAt >= known.record.issuedAt,
            record.issuedAt - known.record.issuedAt < Self.recordLifetimeMilliseconds
        {
            var same = record
            same.issuedAt = known.record.issuedAt
            if same == known.record { return known.envelope }
        }
        let envelope = try record.sealed(with: self.identity)
        self.state.withLock { $0.ownRecords[isLocal] = SignedRecord(record: record, envelope: envelope) }
        return envelope
    }

    /// What this node says about itself.
    func ownCapabilities(withPrivateAddresses: Bool) -> PeerConnectionCapabilities {
        let snapshot = self.reachability.snapshot
        let policy = self.configuration.addressPolicy
        let (relays, mappings, methods, behavior) = self.state.withLock { ($0.relayAddresses, $0.mappings, $0.workingMethods, $0.udpBehavior) }
        var addresses: [PeerConnectionCapabilities.Address] = []
        for address in self.swarm.announcedAddresses where withPrivateAddresses || policy.isPublic(address) {
            let origin: AddressOrigin =
                if address.components.contains(.p2pCircuit) || relays.contains(address) {
                    .relay
                } else if let method = mappings[address] {
                    AddressOrigin(method)
                } else if snapshot.addresses.contains(where: { $0.external.address == address && $0.external.basis >= .observed }) {
                    .observed
                } else {
                    .interface
                }
            addresses.append(.init(address, origin: origin))
        }
        let tier: ConnectionTier =
            switch snapshot.overall {
            case .public: .directCapable
            case .private: .natRestricted
            case .unknown: .unknown
            }
        return PeerConnectionCapabilities(
            peer: self.identity.peerID, issuedAt: WallClock.nowMilliseconds, tier: tier, relays: self.relayService.isEnabled,
            addresses: Array(addresses.prefix(PeerConnectionCapabilities.maximumAddressCount)), mapping: NATMapping(snapshot.tcpMapping),
            filtering: behavior?.filtering ?? .unknown, methods: TraversalMethod.allCases.filter(methods.contains))
    }

    // MARK: Others' records

    /// What is to be done with a record that somebody has passed on.
    package enum Hearsay: Sendable {
        /// Others may want to know.
        case taken
        /// Nothing new.
        case known
        /// Not signed by whom it is about, or not now.
        case invalid
    }

    /// Takes what a peer says about itself, however it got here.
    package func learn(capabilities bytes: [UInt8]) -> Hearsay {
        let now = WallClock.nowMilliseconds
        let record: PeerConnectionCapabilities
        do { record = try PeerConnectionCapabilities(opening: try SignedEnvelope(decoding: bytes)) } catch { return .invalid }
        guard record.isCurrent(at: now) else { return .invalid }
        return self.state.withLock { $0.capabilities.add(record, now: now) } ? .taken : .known
    }

    /// Asks the peer of `connection` what it says about itself; one question at a time for each peer.
    func askCapabilities(on connection: any Connection) {
        let peer = connection.remotePeer
        let isFirst = self.state.withLock { state in
            defer { state.asked[peer] = state.asked[peer] != nil }
            return state.asked[peer] == nil
        }
        guard isFirst else { return }
        let task = self.spawn {
            repeat {
                do {
                    // Perhaps there is a better connection meanwhile.
                    let record = try await CapabilityExchange.ask(self.swarm.connection(to: peer) ?? connection)
                    self.state.withLock { _ = $0.capabilities.add(record, now: WallClock.nowMilliseconds) }
                    self.changes.emit(())
                } catch {
                    self.logger.debug("no capabilities", metadata: ["dig.traversal.peer": "\(peer)", "dig.traversal.error": "\(error)"])
                }
            } while self.mayAskAgain(peer)
        }
        if task == nil { self.state.withLock { _ = $0.asked.removeValue(forKey: peer) } }
    }

    private func mayAskAgain(_ peer: PeerID) -> Bool {
        self.state.withLock { state in
            guard state.asked[peer] == true, !state.isClosed else {
                state.asked[peer] = nil
                return false
            }
            state.asked[peer] = false
            return true
        }
    }
}

extension AddressOrigin {
    init(_ method: PortMapping.Method) {
        self =
            switch method {
            case .upnp: .upnp
            case .natpmp: .natPMP
            case .pcp: .pcp
            }
    }
}
