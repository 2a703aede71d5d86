public import DIGIdentity
import DIGMultiformats
import DIGNet
import Logging
import NIOCore
import Synchronization

/// A signed record of this node's addresses, made again when they change.
struct OwnRecord: Sendable {
    var addresses: [Multiaddr]
    var sequence: UInt64
    var envelope: [UInt8]
}

extension Swarm {
    /// What a connected peer has said about itself; nil before it has, and when it is not connected.
    public func identify(of peer: PeerID) -> IdentifyInfo? {
        self.state.withLock { $0.identified[peer] }
    }

    /// Registers what every node answers.
    func registerHousekeeping() {
        let timeout = self.configuration.streamNegotiationTimeout
        _ = self.protocols.set(
            { stream, connection in
                stream.eventLoop.makeCompletedFuture {
                    let message = IdentifyCodec.encode(self.ownMessage(for: connection.remoteAddress))
                    try stream.pipeline.syncOperations.addHandler(MessageWriteHandler(message: message, timeout: timeout))
                }
            }, for: Identify.protocolID)
        _ = self.protocols.set(
            { stream, connection in self.readIdentify(from: stream, of: connection) }, for: Identify.pushProtocolID)
        _ = self.protocols.set(
            { stream, _ in
                stream.eventLoop.makeCompletedFuture { try stream.pipeline.syncOperations.addHandler(PingResponder()) }
            }, for: Ping.protocolID)
    }

    /// Asks the peer of a new connection who it is.
    func identify(_ connection: SwarmConnection) {
        connection.makeStream(speaking: [Identify.protocolID]) { stream, _ in
            self.readIdentify(from: stream, of: connection)
        }.whenFailure { error in
            self.logger.debug(
                "identify failed", metadata: ["dig.swarm.peer": "\(connection.remotePeer)", "dig.swarm.error": "\(error)"])
        }
    }

    private func readIdentify(from stream: any Channel, of connection: any Connection) -> EventLoopFuture<Void> {
        stream.eventLoop.makeCompletedFuture {
            try stream.pipeline.syncOperations.addHandler(
                MessageReadHandler(limit: IdentifyCodec.maximumByteCount, timeout: self.configuration.streamNegotiationTimeout) { result in
                    self.identified(connection, result)
                })
        }
    }

    private func identified(_ connection: any Connection, _ result: Result<ByteBuffer, any Error>) {
        let peer = connection.remotePeer
        do {
            let message = try IdentifyCodec.decode(result.get())
            if let key = message.publicKey, key != connection.remotePublicKey.protobufEncoded {
                throw ConnectionError(.protocolViolation, "the peer names a key that is not its own")
            }
            let record = self.certifiedAddresses(in: message, of: peer)
            let (info, owed): (IdentifyInfo?, SwarmConnection?) = self.state.withLock { state in
                // Gone already: nobody would remove the entry.
                guard let preferred = state.pool.preferred(for: peer) else { return (nil, nil) }
                var info =
                    state.identified[peer]
                    ?? IdentifyInfo(peer: peer, listenAddresses: [], isCertified: false, protocols: [])
                info.update(with: message, certified: record)
                state.identified[peer] = info
                let isOwed = state.owedPushes.remove(peer) != nil && info.protocols.contains(Identify.pushProtocolID)
                return (info, isOwed ? preferred : nil)
            }
            guard let info else { return }
            self.hub.emit(.identified(info))
            if let owed { self.push(to: owed) }
            // Over a relay the peer sees the relay.
            if let observed = message.observedAddress, !connection.isRelayed {
                self.hub.emit(.observed(observed.removingPeerID(), on: connection))
            }
        } catch {
            self.logger.debug("identify failed", metadata: ["dig.swarm.peer": "\(peer)", "dig.swarm.error": "\(error)"])
        }
    }

    /// The addresses of the signed record, if there is one and it is the peer's own. A record that is not is no reason to drop the rest.
    private func certifiedAddresses(in message: IdentifyMessage, of peer: PeerID) -> [Multiaddr]? {
        guard let bytes = message.signedPeerRecord else { return nil }
        do {
            let record = try PeerRecord(opening: SignedEnvelope(decoding: bytes))
            guard record.peer == peer else { throw ConnectionError(.peerMismatch, "the record belongs to \(record.peer)") }
            return record.addresses
        } catch {
            self.logger.debug("signed peer record refused", metadata: ["dig.swarm.peer": "\(peer)", "dig.swarm.error": "\(error)"])
            return nil
        }
    }

    // MARK: This node

    func ownMessage(for observed: Multiaddr) -> IdentifyMessage {
        let addresses = self.announcedAddresses
        return IdentifyMessage(
            protocolVersion: self.configuration.protocolVersion,
            agentVersion: self.configuration.agentVersion,
            publicKey: self.identity.publicKey.protobufEncoded,
            listenAddresses: addresses,
            observedAddress: observed,
            protocols: self.protocols.ids,
            signedPeerRecord: self.ownRecord(addresses))
    }

    /// What this node says about its addresses, encoded and signed. Nil if it can't be signed.
    package var ownPeerRecord: [UInt8]? { self.ownRecord(self.announcedAddresses) }

    private func ownRecord(_ addresses: [Multiaddr]) -> [UInt8]? {
        let previous = self.state.withLock { $0.ownRecord }
        if let previous, previous.addresses == addresses { return previous.envelope }
        // RFC 0003: a later record has a higher number; the wall clock serves across restarts.
        let now = WallClock.nowMilliseconds
        let sequence = max(now, (previous?.sequence ?? 0) + 1)
        do {
            let envelope = try PeerRecord(peer: self.localPeer, sequence: sequence, addresses: addresses).sealed(with: self.identity).encoded
            self.state.withLock { $0.ownRecord = OwnRecord(addresses: addresses, sequence: sequence, envelope: envelope) }
            return envelope
        } catch {
            self.logger.debug("peer record could not be signed", metadata: ["dig.swarm.error": "\(error)"])
            return nil
        }
    }

    // MARK: Push

    /// Ours: changes within this time go out together.
    private static let pushDelay: Duration = .milliseconds(100)

    /// Tells every connected peer soon what this node speaks and where it listens.
    func schedulePush() {
        let isNeeded = self.state.withLock { state in
            guard !state.isPushScheduled, !state.isClosed, state.pool.count > 0 else { return false }
            state.isPushScheduled = true
            return true
        }
        guard isNeeded else { return }
        self.group.next().scheduleTask(in: TimeAmount(Self.pushDelay)) { self.push() }
    }

    private func push() {
        let connections = self.state.withLock { state in
            state.isPushScheduled = false
            return state.pool.preferred.filter { connection in
                guard let info = state.identified[connection.remotePeer] else {
                    // What it was told when it asked may be out of date by now.
                    state.owedPushes.insert(connection.remotePeer)
                    return false
                }
                return info.protocols.contains(Identify.pushProtocolID)
            }
        }
        for connection in connections { self.push(to: connection) }
    }

    private func push(to connection: SwarmConnection) {
        let timeout = self.configuration.streamNegotiationTimeout
        let message = IdentifyCodec.encode(self.ownMessage(for: connection.remoteAddress))
        connection.makeStream(speaking: [Identify.pushProtocolID]) { stream, _ in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandler(MessageWriteHandler(message: message, timeout: timeout))
            }
        }.whenFailure { error in
            self.logger.debug(
                "identify push failed", metadata: ["dig.swarm.peer": "\(connection.remotePeer)", "dig.swarm.error": "\(error)"])
        }
    }
}

extension IdentifyInfo {
    /// Takes what `message` mentions and keeps the rest, so that a push may be partial.
    fileprivate mutating func update(with message: IdentifyMessage, certified: [Multiaddr]?) {
        if let agent = message.agentVersion { self.agentVersion = agent }
        if let version = message.protocolVersion { self.protocolVersion = version }
        if let observed = message.observedAddress { self.observedAddress = observed }
        if !message.protocols.isEmpty { self.protocols = message.protocols }
        if let certified {
            self.listenAddresses = certified.map { $0.removingPeerID() }
            self.isCertified = true
            self.signedPeerRecord = message.signedPeerRecord
        } else if !message.listenAddresses.isEmpty, !self.isCertified {
            self.listenAddresses = message.listenAddresses.map { $0.removingPeerID() }
        }
    }
}
