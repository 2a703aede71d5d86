import DIGNet
public import Logging
public import NIOCore
public import ServiceLifecycle
import Synchronization

/// A peer of the GUN network: keeps connections to relays, lets others connect, and shares a graph with all of them.
///
/// It speaks to gun.js as another gun.js would; see ``GunMeshConfiguration`` for what it adds in bounds.
///
/// ```swift
/// var configuration = GunPeerConfiguration()
/// configuration.relays = [.init(try GunURL("https://relay.example/gun"))]
/// let peer = GunPeer(configuration: configuration, guards: GunNamespace.standard.guards, group: group, logger: logger)
/// // in a service group: peer.run()
/// try await peer.put(["name": .text("Alice")], to: "alice")
/// for await node in peer.on("alice") { … }
/// ```
public final class GunPeer: Service {
    /// Something that happens to connections or to this peer's data.
    enum Event: Sendable {
        case connected(GunURL?)
        case forgery(soul: ExactText, key: ExactText, state: Double)
    }

    private enum Reply: Sendable {
        case data(GunLinkID)
        case miss(GunLinkID)
        case acknowledged(GunLinkID, error: String?)
    }

    private struct State {
        var mesh: GunMesh
        var isRunning = false
        var isLoaded = false
        var sockets: [GunLinkID: GunSocket] = [:]
        var links: [ObjectIdentifier: GunLinkID] = [:]
        var replies: [ExactText: AsyncStream<Reply>.Continuation] = [:]
        var readers: [ExactText: [UInt64: AsyncStream<GunNode>.Continuation]] = [:]
        var nextReader: UInt64 = 0
        var listeners: [GunURL] = []
    }

    private let configuration: GunPeerConfiguration
    private let storage: (any GunStorage)?
    private let group: any EventLoopGroup
    private let logger: Logger
    private let dialer: GunDialer
    private let state: Mutex<State>
    private let events = EventBroadcast<Event>(bufferCount: 256)

    /// - Parameters:
    ///   - guards: What only some may write; those of ``GunDiscovery`` and ``GunSignaling`` among them when these are used.
    ///   - storage: Where the graph stays between two runs; nil: nowhere.
    public init(
        configuration: GunPeerConfiguration, guards: [GunGuard] = [], storage: (any GunStorage)? = nil, group: any EventLoopGroup, logger: Logger
    ) {
        self.configuration = configuration
        self.storage = storage
        self.group = group
        self.logger = logger
        self.dialer = GunDialer(
            group: group, configuration: configuration.webSocket, policy: configuration.addressPolicy,
            messageByteCount: configuration.mesh.limits.messageByteCount)
        self.state = Mutex(
            State(mesh: GunMesh(configuration: configuration.mesh, guards: guards, actsAsStorage: !configuration.listen.isEmpty)))
    }

    // MARK: Running

    /// Connects, listens and keeps until cancelled or shut down gracefully, then saves what is not saved.
    ///
    /// - Throws: ``GunError`` `.alreadyRunning` or `.invalidConfiguration`, or what binding a socket throws. A relay that can't be reached is no
    ///   error: it is tried again for ever.
    public func run() async throws {
        let isFirst = self.state.withLock { state in
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard isFirst else { throw GunError(.alreadyRunning, "this peer of GUN is running already") }
        defer { self.end() }
        await self.load()
        var listeners: [GunListener] = []
        for address in self.configuration.listen {
            do {
                let listener = try await GunListener.listen(on: address, configuration: self.configuration, group: self.group, delegate: self)
                listeners.append(listener)
                self.state.withLock { $0.listeners.append(listener.url) }
            } catch {
                for listener in listeners { await listener.close() }
                throw error
            }
        }
        await withTaskGroup(of: Void.self) { group in
            for relay in self.configuration.relays.prefix(self.configuration.maximumRelayCount) {
                group.addTask { await self.stayConnected(to: relay) }
            }
            group.addTask { await self.keepTime() }
            if self.storage != nil { group.addTask { await self.keepSaving() } }
            // It throws when the task is cancelled, which ends this as well.
            do { try await gracefulShutdown() } catch {}
            group.cancelAll()
        }
        for listener in listeners { await listener.close() }
        await self.save()
    }

    private func end() {
        let (sockets, replies, readers) = self.state.withLock { state in
            defer {
                state.isRunning = false
                state.replies = [:]
                state.readers = [:]
                state.listeners = []
            }
            return (Array(state.sockets.values), Array(state.replies.values), state.readers.values.flatMap(\.values))
        }
        for socket in sockets { socket.close() }
        for reply in replies { reply.finish() }
        for reader in readers { reader.finish() }
    }

    private func stayConnected(to relay: GunPeerConfiguration.Relay) async {
        var reconnection = GunReconnection()
        while !Task.isCancelled {
            let started = ContinuousClock.now
            var lifetime: Duration?
            do {
                let socket = try await self.dialer.dial(relay.url, source: relay.source, delegate: self)
                self.logger.debug("connected to a relay", metadata: ["dig.gun.relay": "\(relay.url)"])
                try await withTaskCancellationHandler {
                    try await socket.closed.get()
                } onCancel: {
                    socket.close()
                }
                lifetime = ContinuousClock.now - started
            } catch is CancellationError {
                return
            } catch {
                self.logger.debug("a relay can't be reached", metadata: ["dig.gun.relay": "\(relay.url)", "dig.gun.error": "\(error)"])
            }
            do { try await Task.sleep(for: reconnection.ended(after: lifetime, jitter: .random(in: 0...1))) } catch { return }
        }
    }

    private func keepTime() async {
        while !Task.isCancelled {
            let time = Self.now()
            let actions = self.state.withLock { $0.mesh.deadlineReached(at: time) }
            self.perform(actions)
            // A state that is a moment ahead is to be seen at its moment; everything else has time.
            let next = self.state.withLock { $0.mesh.stateDeadline }
            let wait = min(max((next ?? .infinity) - Self.now().unix, 5), 250)
            do { try await Task.sleep(for: .milliseconds(wait)) } catch { return }
        }
    }

    private func load() async {
        let isLoaded = self.state.withLock { state in
            defer { state.isLoaded = true }
            return state.isLoaded
        }
        guard !isLoaded, let storage else { return }
        do {
            // Those used last come last, so that they are forgotten last.
            let nodes = try await storage.load(limit: self.configuration.mesh.graph.nodeCount).reversed()
            let now = Self.now().unix
            self.state.withLock { state in
                for node in nodes { state.mesh.restore(node, now: now) }
            }
        } catch {
            self.logger.warning("what was kept of the graph can't be read", metadata: ["dig.gun.error": "\(error)"])
        }
    }

    private func keepSaving() async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: self.configuration.saveInterval) } catch { return }
            await self.save()
        }
    }

    private func save() async {
        guard let storage else { return }
        while true {
            let (changed, removed) = self.state.withLock { $0.mesh.takeChanges(limit: max(1, self.configuration.saveCount)) }
            guard !changed.isEmpty || !removed.isEmpty else { return }
            do { try await storage.save(changed, removing: removed) } catch {
                return self.logger.warning("the graph can't be kept", metadata: ["dig.gun.error": "\(error)"])
            }
        }
    }

    // MARK: The graph

    /// Writes `values` to `soul` here and on all peers that are reached.
    ///
    /// - Parameters:
    ///   - state: Of all the values, milliseconds since 1970; nil: now.
    ///   - wait: How long to wait for a relay to be connected, if none is, and for the first acknowledgement; nil: not at all. A relay without
    ///     storage never sends one.
    /// - Returns: Whether a peer has acknowledged it. With no relay in reach that is never so; the next one is told when it is connected.
    /// - Throws: ``GunError`` `.tooLong`, or `.refused` if a guard forbids it.
    @discardableResult
    public func put(
        _ values: [String: GunValue], to soul: String, state: Double? = nil, waitingForAcknowledgement wait: Duration? = nil
    ) async throws -> Bool {
        let limits = self.configuration.mesh.limits
        var size = 64 + 2 * soul.utf8.count
        for (key, value) in values {
            guard key.utf8.count <= limits.nameByteCount, key != "_", key != "__proto__", !key.isEmpty, value.byteCount <= limits.valueByteCount else {
                throw GunError(.tooLong, "a key or a value that peers do not take")
            }
            // A character may need six in JSON.
            size += 2 * key.utf8.count + GunJSONWriter.bytes(value.json).count + 32
        }
        guard soul.utf8.count <= limits.nameByteCount, !soul.isEmpty, soul != "__proto__", size <= limits.messageByteCount else {
            throw GunError(.tooLong, "a soul or a message that peers do not take")
        }
        if let wait { await self.waitForPeer(wait) }
        let time = Self.now()
        let entries = Dictionary(values.map { (ExactText($0.key), $0.value) }, uniquingKeysWith: { $1 })
        let (stream, continuation) = AsyncStream.makeStream(of: Reply.self, bufferingPolicy: .bufferingNewest(64))
        let (id, outcomes, actions) = self.state.withLock { peer in
            let result = peer.mesh.put(entries, to: ExactText(soul), state: state, at: time)
            if wait != nil { peer.replies[result.id] = continuation }
            return result
        }
        defer { self.state.withLock { _ = $0.replies.removeValue(forKey: id) } }
        guard !outcomes.values.contains(.forged), !outcomes.values.contains(.refused) else {
            throw GunError(.refused, "\(soul) may not be written like this")
        }
        self.perform(actions)
        guard let wait, actions.contains(where: { if case .send = $0 { true } else { false } }) else { return false }
        let timer = self.group.next().scheduleTask(in: TimeAmount(wait)) { continuation.finish() }
        defer { timer.cancel() }
        for await reply in stream {
            if case .acknowledged(_, let error) = reply, error == nil { return true }
        }
        return false
    }

    /// What this peer knows of `soul`, without asking anybody.
    public func known(_ soul: String) -> GunNode? {
        self.state.withLock { $0.mesh.graph.node(ExactText(soul)) }
    }

    /// Asks all peers for a node, or for one key of it.
    ///
    /// - Parameters:
    ///   - timeout: How long to wait for those that do not answer.
    ///   - settling: How long to wait for others once one has answered: each may hold a part, and a relay that knows nothing asks on.
    /// - Returns: Everything known of it then; nil if nothing.
    public func get(
        _ soul: String, key: String? = nil, timeout: Duration = .seconds(2), settling: Duration = .milliseconds(200)
    ) async -> GunNode? {
        await self.ask(GunQuery(soul: soul, key: key), timeout: timeout, settling: settling)
        let node = self.known(soul)
        guard let key = key.map({ ExactText($0) }), let node else { return node }
        return node.entries[key].map { GunNode(node.soul, [key: $0]) }
    }

    /// Waits for the first peer, if there is none and relays are configured: right after the start they are being dialed.
    private func waitForPeer(_ limit: Duration) async {
        guard !self.configuration.relays.isEmpty else { return }
        let events = self.events.subscribe()
        guard self.state.withLock({ $0.sockets.isEmpty }) else { return }
        await withTimeout(limit) {
            for await event in events { if case .connected = event { return } }
        }
    }

    /// Asks all peers, and returns when all have answered and `settling` has passed, or after `timeout`.
    ///
    /// Without a peer it waits for the first.
    func ask(_ query: GunQuery, timeout: Duration, settling: Duration) async {
        let end = ContinuousClock.now + timeout
        await self.waitForPeer(timeout)
        let (stream, continuation) = AsyncStream.makeStream(of: Reply.self, bufferingPolicy: .bufferingNewest(256))
        let time = Self.now()
        let (id, asked, actions) = self.state.withLock { state in
            let result = state.mesh.get(query, at: time)
            state.replies[result.id] = continuation
            return result
        }
        defer { self.state.withLock { _ = $0.replies.removeValue(forKey: id) } }
        guard !asked.isEmpty else { return }
        self.perform(actions)
        let timer = self.group.next().scheduleTask(in: TimeAmount(max(.zero, end - .now))) { continuation.finish() }
        defer { timer.cancel() }
        var waiting = Set(asked)
        var settled: Scheduled<Void>?
        defer { settled?.cancel() }
        for await reply in stream {
            switch reply {
            case .data(let link), .miss(let link): waiting.remove(link)
            case .acknowledged: continue
            }
            if waiting.isEmpty, settled == nil {
                settled = self.group.next().scheduleTask(in: TimeAmount(settling)) { continuation.finish() }
            }
        }
    }

    /// `soul` as it is known, and then as it is after each change, by whoever. Asks all peers, and every relay connected later.
    ///
    /// Each element is the whole node; those that a slow reader misses are contained in the next. Ends when ``run()`` does.
    public func on(_ soul: String) -> AsyncStream<GunNode> { self.on(soul, asking: true) }

    /// - Parameter asking: Whether the relays connected now are asked; those connected later are.
    func on(_ soul: String, asking: Bool) -> AsyncStream<GunNode> {
        let soul = ExactText(soul)
        let (stream, continuation) = AsyncStream.makeStream(
            of: GunNode.self, bufferingPolicy: .bufferingNewest(max(1, self.configuration.readerBufferCount)))
        let time = Self.now()
        let (reader, actions): (UInt64, [GunMesh.Action]) = self.state.withLock { state in
            state.nextReader += 1
            let reader = state.nextReader
            state.readers[soul, default: [:]][reader] = continuation
            // Under the lock, so that nothing newer gets in before.
            if let node = state.mesh.graph.node(soul) { continuation.yield(node) }
            guard state.mesh.subscribe(soul), asking else { return (reader, []) }
            return (reader, state.mesh.get(GunQuery(soul: .exactly(soul)), at: time).actions)
        }
        continuation.onTermination = { [weak self] _ in
            // Later: a task that is being cancelled is locked by the runtime while it calls this, and a yield under our lock waits for that.
            Task { [weak self] in self?.removeReader(reader, of: soul) }
        }
        self.perform(actions)
        return stream
    }

    private func removeReader(_ reader: UInt64, of soul: ExactText) {
        self.state.withLock { state in
            guard state.readers[soul]?.removeValue(forKey: reader) != nil else { return }
            if state.readers[soul]?.isEmpty == true { state.readers[soul] = nil }
            state.mesh.unsubscribe(soul)
        }
    }

    /// This peer's own nodes whose souls begin with `prefix`.
    func ownNodes(prefix: String) -> [GunNode] {
        self.state.withLock { state in
            state.mesh.graph.ownSouls.filter { $0.hasPrefix(prefix) }.sorted().compactMap { state.mesh.graph.node($0) }
        }
    }

    /// Forgets keys here, without a word to others.
    func forget(_ keys: [ExactText], of soul: ExactText) { self.state.withLock { $0.mesh.forget(keys, of: soul) } }

    /// The node is no longer this peer's to keep.
    func release(_ soul: ExactText) { self.state.withLock { $0.mesh.release(soul) } }

    var eventStream: AsyncStream<Event> { self.events.subscribe() }

    public var status: GunStatus {
        self.state.withLock { state in
            let relays = state.sockets.values.compactMap(\.url)
            return GunStatus(
                listening: state.listeners, relays: relays, acceptedCount: state.sockets.count - relays.count, nodeCount: state.mesh.graph.nodeCount,
                byteCount: state.mesh.graph.byteCount, deferredCount: state.mesh.graph.deferredCount, graph: state.mesh.graph.statistics,
                mesh: state.mesh.statistics)
        }
    }

    // MARK: Performing

    static func now() -> GunTime { GunTime(instant: .now, unix: UnixClock.milliseconds) }

    private func perform(_ actions: [GunMesh.Action]) {
        guard !actions.isEmpty else { return }
        var texts: [GunLinkID: [[UInt8]]] = [:]
        var order: [GunLinkID] = []
        for action in actions {
            switch action {
            case .send(let text, let link):
                if texts[link] == nil { order.append(link) }
                texts[link, default: []].append(text)
            case .changed(let changes):
                self.state.withLock { state in
                    for change in changes {
                        guard let readers = state.readers[change.soul], let node = state.mesh.graph.node(change.soul) else { continue }
                        for reader in readers.values { reader.yield(node) }
                    }
                }
            case .answered(let id, let link, let hasData):
                self.state.withLock { _ = $0.replies[id]?.yield(hasData ? .data(link) : .miss(link)) }
            case .acknowledged(let id, let link, let error):
                self.state.withLock { _ = $0.replies[id]?.yield(.acknowledged(link, error: error?.string)) }
            case .forgery(let soul, let key, let state):
                self.events.emit(.forgery(soul: soul, key: key, state: state))
            case .close(let link, _):
                self.state.withLock { $0.sockets[link] }?.close()
            }
        }
        let sockets = self.state.withLock { state in order.compactMap { link in state.sockets[link].map { (link, $0) } } }
        for (link, socket) in sockets { socket.send(GunBatch.texts(of: texts[link] ?? [])) }
    }
}

extension GunPeer: GunSocketDelegate {
    func opened(_ socket: GunSocket) {
        let time = Self.now()
        let actions: [GunMesh.Action]? = self.state.withLock { state in
            guard state.isRunning else { return nil }
            let (link, actions) = state.mesh.connected(to: socket.url.map { ExactText("\($0)") }, at: time)
            state.sockets[link] = socket
            state.links[ObjectIdentifier(socket)] = link
            return actions
        }
        guard let actions else { return socket.close() }
        self.perform(actions)
        self.events.emit(.connected(socket.url))
    }

    func received(_ bytes: [UInt8], on socket: GunSocket) {
        let time = Self.now()
        self.perform(
            self.state.withLock { state in
                guard let link = state.links[ObjectIdentifier(socket)] else { return [] }
                return state.mesh.received(bytes, from: link, at: time)
            })
    }

    func receivedOversize(on socket: GunSocket) {
        let time = Self.now()
        self.perform(
            self.state.withLock { state in
                guard let link = state.links[ObjectIdentifier(socket)] else { return [] }
                return state.mesh.receivedOversize(from: link, at: time)
            })
    }

    func closed(_ socket: GunSocket) {
        self.state.withLock { state in
            guard let link = state.links.removeValue(forKey: ObjectIdentifier(socket)) else { return }
            state.sockets[link] = nil
            state.mesh.disconnected(link)
        }
    }
}
