import DIGIdentity
import DIGMultiformats
import DIGNet
import Logging
import NIOCore
import OrderedCollections
import Synchronization

/// Each side opens one stream, on which only it sends.
extension GossipSub {
    /// A stream on which nothing comes for long is quiet, not dead.
    private static let readTimeout: Duration = .seconds(365 * 24 * 3600)
    private static let streamTimeout: Duration = .seconds(30)
    /// Between attempts to open a stream, doubled each time.
    private static let firstRetryDelay: Duration = .milliseconds(100)
    private static let maximumRetries = 7
    /// Heartbeats between looks whether streams are where they should be.
    private static let sweepTicks = 10

    // MARK: Under the lock

    /// Something to do when the lock is released.
    typealias Delivery = (message: GossipMessage, to: AsyncStream<GossipMessage>.Continuation)

    /// Does what the router wants. What it wants delivered is returned: others run when a message is handed to them.
    func apply(_ state: inout State) -> [Delivery] {
        var deliveries: [Delivery] = []
        for action in state.router.takeActions() {
            switch action {
            case .send(let rpc, let peer):
                guard let dropped = state.links[peer]?.queue.push(rpc) else { continue }
                state.router.counters.droppedMessages += UInt64(dropped.messages)
                state.router.counters.droppedGossip += UInt64(dropped.gossip)
                state.links[peer]?.wake.yield()
            case .deliver(let message):
                if let subscription = state.subscriptions[message.topic] { deliveries.append((message, subscription.deliveries)) }
            case .connect(let peer, let addresses):
                self.exchangedPeer.yield(ExchangedPeer(peer: peer, addresses: addresses))
            }
        }
        return deliveries
    }

    private func deliver(_ deliveries: [Delivery]) {
        var dropped: UInt64 = 0
        for delivery in deliveries {
            if case .dropped = delivery.to.yield(delivery.message) { dropped += 1 }
        }
        if dropped > 0 { self.state.withLock { $0.router.counters.droppedDeliveries += dropped } }
    }

    /// Takes the peer in.
    ///
    /// - Returns: False if there are too many.
    func link(_ peer: PeerID, over connection: any Connection, record: [UInt8]?, _ state: inout State) -> Bool {
        var info = state.router.peers[peer]?.info ?? GossipPeerInfo()
        info.isOutbound = connection.role == .dialer
        info.network = PeerNetwork.name(of: connection.remoteAddress, policy: self.configuration.addressPolicy)
        info.record = record ?? info.record
        guard state.router.connected(peer, info) else { return false }
        guard state.links[peer] == nil else { return true }
        let id = state.nextID()
        let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        guard case .enqueued = self.newLink.yield(NewLink(peer: peer, id: id, wakes: wakes)) else {
            state.router.disconnected(peer, now: .now)
            return false
        }
        let queue = OutboundQueue(
            maximumByteCount: self.configuration.maximumQueueByteCount, maximumMessages: self.configuration.maximumQueuedMessages)
        state.links[peer] = Link(id: id, queue: queue, wake: wake)
        return true
    }

    /// Forgets the peer, if `id` is the link that there is.
    func remove(_ peer: PeerID, id: UInt64? = nil) {
        let link = self.state.withLock { state -> Link? in
            guard let link = state.links[peer], id == nil || link.id == id else { return nil }
            state.links[peer] = nil
            state.router.disconnected(peer, now: .now)
            return link
        }
        link?.wake.finish()
        link?.inbound?.messages.close()
        link?.outbound?.messages.close()
    }

    // MARK: Sending

    /// Opens the stream to a peer and writes what waits, again and again until the peer is gone.
    func drive(_ link: NewLink) async {
        var delay = Self.firstRetryDelay
        var failures = 0
        while !Task.isCancelled, failures < Self.maximumRetries, self.isCurrent(link) {
            let began = Instant.now
            do {
                try await self.converse(link)
            } catch let error as ConnectionError where error.code == .noCommonProtocol {
                break
            } catch {
                self.logger.trace("no stream", metadata: ["dig.gossipsub.peer": "\(link.peer)", "dig.gossipsub.error": "\(error)"])
            }
            // One that has lived for a while was none that the peer refuses.
            if .now - began > Self.streamTimeout { (failures, delay) = (0, Self.firstRetryDelay) }
            guard self.isCurrent(link) else { break }
            failures += 1
            do { try await Task.sleep(for: delay) } catch { break }
            delay *= 2
        }
        self.remove(link.peer, id: link.id)
    }

    private func isCurrent(_ link: NewLink) -> Bool { self.state.withLock { $0.links[link.peer]?.id == link.id } }

    /// Ends when the stream does.
    private func converse(_ link: NewLink) async throws {
        guard let connection = self.dialer.connection(to: link.peer) else { throw ConnectionError(.closed, "\(link.peer) is not connected") }
        // The peer has nothing to say on it.
        let (messages, id) = try await connection.openMessages(
            speaking: [GossipSubConfiguration.protocolID, GossipSubConfiguration.oldProtocolID], limit: 0, timeout: Self.streamTimeout)
        let isOld = id == GossipSubConfiguration.oldProtocolID
        let hello = self.state.withLock { state -> GossipRPC? in
            guard state.links[link.peer]?.id == link.id else { return nil }
            state.links[link.peer]?.outbound = (messages, connection.id)
            state.router.peers[link.peer]?.info.isOld = isOld
            return state.router.hello
        }
        defer {
            messages.close()
            self.state.withLock { state in
                guard state.links[link.peer]?.id == link.id else { return }
                state.links[link.peer]?.outbound = nil
                state.router.lostStream(to: link.peer)
            }
        }
        guard let hello else { return }
        let wake = self.state.withLock { $0.links[link.peer]?.wake }
        messages.channel.closeFuture.whenComplete { _ in wake?.yield() }
        try await withTaskCancellationHandler {
            if !hello.isEmpty { try await messages.write(GossipCodec.encode(hello)).get() }
            // Once without being told: something may wait since before.
            try await self.writeAll(link, on: messages)
            for await _ in link.wakes {
                guard messages.channel.isActive else { throw ConnectionError(.closed, "the stream has ended") }
                try await self.writeAll(link, on: messages)
            }
        } onCancel: {
            messages.close()
        }
    }

    private func writeAll(_ link: NewLink, on messages: MessageStream) async throws {
        while let rpc = self.state.withLock({ state -> GossipRPC? in
            guard state.links[link.peer]?.id == link.id else { return nil }
            return state.links[link.peer]?.queue.pop()
        }) {
            try await messages.write(GossipCodec.encode(rpc)).get()
        }
    }

    // MARK: Receiving

    func accept(_ stream: any Channel, of connection: any Connection) throws {
        let peer = connection.remotePeer
        let messages = try MessageStream(on: stream, limit: GossipLimits.maximumRPCByteCount, timeout: Self.readTimeout)
        let (isTaken, old) = self.state.withLock { state -> (Bool, Inbound?) in
            guard let continuation = state.inbound, !state.router.isGraylisted(peer), self.link(peer, over: connection, record: nil, &state) else {
                return (false, nil)
            }
            let inbound = Inbound(peer: peer, id: state.nextID(), messages: messages)
            guard case .enqueued = continuation.yield(inbound) else { return (false, nil) }
            let old = state.links[peer]?.inbound
            if old != nil { state.router.restarted(peer) }
            state.links[peer]?.inbound = inbound
            return (true, old)
        }
        old?.messages.close()
        guard !isTaken else { return }
        self.state.withLock { $0.router.counters.refusedStreams += 1 }
        messages.close()
    }

    func receive(_ inbound: Inbound) async {
        let messages = inbound.messages
        await withTaskCancellationHandler {
            do {
                while self.process(try await messages.read().get(), inbound) {}
            } catch {
                if (error as? ConnectionError)?.code == .protocolViolation { self.state.withLock { $0.router.sentMalformed(inbound.peer) } }
                self.logger.trace("stream ended", metadata: ["dig.gossipsub.peer": "\(inbound.peer)", "dig.gossipsub.error": "\(error)"])
            }
            messages.close()
        } onCancel: {
            messages.close()
        }
        self.state.withLock { state in
            if state.links[inbound.peer]?.inbound?.id == inbound.id { state.links[inbound.peer]?.inbound = nil }
        }
    }

    /// - Returns: Whether more is to be read.
    private func process(_ bytes: ByteBuffer, _ inbound: Inbound) -> Bool {
        let peer = inbound.peer
        let isWanted = self.state.withLock { state -> Bool? in
            guard state.links[peer]?.inbound?.id == inbound.id else { return nil }
            guard !state.router.isGraylisted(peer) else {
                state.router.counters.graylistedRPCs += 1
                return false
            }
            return true
        }
        guard let isWanted else { return false }
        // Not even decoded; but read, so that the connection goes on for others.
        guard isWanted else { return true }
        let rpc: GossipRPC
        do throws(GossipDecodingError) { rpc = try GossipCodec.decode(bytes) } catch {
            self.state.withLock { $0.router.sentMalformed(peer) }
            self.logger.debug("malformed message", metadata: ["dig.gossipsub.peer": "\(peer)", "dig.gossipsub.error": "\(error)"])
            return false
        }
        // Before the rest: what is here needs not be asked for.
        for message in rpc.messages { self.process(message, from: peer) }
        let deliveries = self.state.withLock { state in
            state.router.received(rpc, from: peer, now: .now)
            return self.apply(&state)
        }
        self.deliver(deliveries)
        return true
    }

    private func process(_ message: GossipMessage, from peer: PeerID) {
        guard self.state.withLock({ $0.router.wants(message, from: peer, now: .now) }) else { return }
        let isSigned = message.isSigned
        let validator = self.state.withLock { state -> (@Sendable (GossipMessage) -> GossipVerdict)? in
            guard state.router.verified(message, isSigned: isSigned, from: peer, now: .now) else { return nil }
            // Left in the meantime: it stays unjudged.
            return state.subscriptions[message.topic]?.validator ?? { @Sendable _ in .ignore }
        }
        guard let validator else { return }
        let verdict = validator(message)
        let deliveries = self.state.withLock { state in
            state.router.validated(message, verdict: verdict, from: peer, now: .now)
            return self.apply(&state)
        }
        self.deliver(deliveries)
    }

    // MARK: Upkeep

    func beat() async {
        var tick = 0
        while !Task.isCancelled {
            do { try await Task.sleep(for: self.configuration.heartbeatInterval) } catch { return }
            tick += 1
            self.state.withLock { state in
                state.router.heartbeat(now: .now)
                _ = self.apply(&state)
            }
            if tick % Self.sweepTicks == 0 { self.sweep() }
        }
    }

    /// Events of the swarm may be missed, and a direct connection may have taken the place of a relayed one, which ends when nobody uses it.
    private func sweep() {
        let links = self.state.withLock { $0.links }
        for (peer, link) in links {
            guard let connection = self.dialer.connection(to: peer) else {
                self.remove(peer, id: link.id)
                continue
            }
            if let outbound = link.outbound, outbound.connection != connection.id {
                self.state.withLock { state in _ = self.link(peer, over: connection, record: nil, &state) }
                // A stream on the new one follows.
                outbound.messages.finish()
                outbound.messages.close()
            }
        }
    }

    func connectExchangedPeers() async {
        for await other in self.exchangedPeers {
            var options = DialOptions()
            options.source = .stranger
            options.timeout = Self.streamTimeout
            do { _ = try await self.dialer.connect(to: other.peer, addresses: other.addresses, options: options) } catch {
                guard !Task.isCancelled else { return }
                self.logger.trace("exchanged peer not reached", metadata: ["dig.gossipsub.peer": "\(other.peer)", "dig.gossipsub.error": "\(error)"])
            }
        }
    }

    func keepDirectPeers() async {
        guard !self.configuration.directPeers.isEmpty else { return }
        while !Task.isCancelled {
            await withDiscardingTaskGroup { group in
                for (peer, addresses) in self.configuration.directPeers where self.dialer.connection(to: peer) == nil && !addresses.isEmpty {
                    group.addTask {
                        do { _ = try await self.dialer.connect(to: peer, addresses: addresses, options: DialOptions()) } catch {
                            self.logger.debug("direct peer not reached", metadata: ["dig.gossipsub.peer": "\(peer)", "dig.gossipsub.error": "\(error)"])
                        }
                    }
                }
            }
            do { try await Task.sleep(for: self.configuration.directConnectInterval) } catch { return }
        }
    }
}
