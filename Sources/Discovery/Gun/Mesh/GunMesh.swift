import DIGNet

/// A peer of GUN between its connections: greets, merges, answers, acknowledges and passes on. A value: texts and time in, actions out.
///
/// Follows gun.js as observed, except that nothing invalid is passed on, that ids which are prefixes of each other do not collide, that broken
/// JSON is not mended, and that everything has a bound.
struct GunMesh {
    enum Action: Hashable {
        case send([UInt8], to: GunLinkID)
        /// The graph changed, by whoever.
        case changed([GunGraph.Change])
        /// One of our own gets was answered; without data: "not found".
        case answered(ExactText, by: GunLinkID, hasData: Bool)
        /// One of our own puts was acknowledged.
        case acknowledged(ExactText, by: GunLinkID, error: ExactText?)
        /// Others try to write what a guard forbids to a node of ours.
        case forgery(soul: ExactText, key: ExactText, state: Double)
        case close(GunLinkID, CloseReason)
    }

    enum CloseReason: Hashable {
        /// The other end is this peer.
        case ourselves
    }

    private struct Link {
        /// Of ours for a peer that has not said its own.
        var id: ExactText
        var pid: ExactText?
        /// What we dialed.
        var url: ExactText?
        var isDialed: Bool
        var messages: TokenBucket
        var bytes: TokenBucket
        var keepAliveAt: ContinuousClock.Instant?

        /// How this peer is named to others.
        var name: ExactText { self.url ?? self.pid ?? self.id }

        func isNamed(in names: [ExactText]) -> Bool {
            names.contains { $0 == self.id || $0 == self.pid || $0 == self.url }
        }
    }

    /// gun.js names at most seven.
    private static let neighbourCount = 7
    /// gun.js: entries of a node in one answer, `_` among them.
    private static let chunkKeyCount = 9
    /// gun.js: acknowledgements asked for by a writer.
    private static let acknowledgementCount = 9.0
    /// Ours: answers to one message that are passed back.
    private static let passedAnswerCount = 64

    let pid: ExactText
    private let configuration: GunMeshConfiguration
    private let actsAsStorage: Bool
    private var makeID: @Sendable () -> ExactText
    private(set) var graph: GunGraph
    private(set) var statistics = GunMeshStatistics()
    private var clock = GunClock()
    private var log: MessageLog
    private var links: [GunLinkID: Link] = [:]
    /// In the order in which they came.
    private var order: [GunLinkID] = []
    private var nextLink: UInt64 = 0
    private var subscriptions: [ExactText: Int] = [:]

    /// - Parameter makeID: Makes ids that nobody else makes.
    init(
        configuration: GunMeshConfiguration = .init(), guards: [GunGuard] = [], actsAsStorage: Bool,
        makeID: @escaping @Sendable () -> ExactText = { GunID.random() }
    ) {
        self.configuration = configuration
        self.actsAsStorage = configuration.actsAsStorage ?? actsAsStorage
        self.makeID = makeID
        self.pid = makeID()
        self.graph = GunGraph(limits: configuration.graph, guards: guards)
        self.log = MessageLog(lifetime: configuration.messageLifetime, maximumCount: configuration.messageCount)
    }

    var linkCount: Int { self.links.count }
    var knownMessageCount: Int { self.log.count }
    var dialedLinkCount: Int { self.links.values.reduce(0) { $0 + ($1.isDialed ? 1 : 0) } }

    // MARK: Connections

    /// - Parameter url: What was dialed; nil for a connection that was accepted.
    mutating func connected(to url: ExactText?, at time: GunTime) -> (GunLinkID, [Action]) {
        self.nextLink += 1
        let id = GunLinkID(rawValue: self.nextLink)
        let rate = url == nil ? self.configuration.acceptedMessageRate : self.configuration.dialedMessageRate
        self.links[id] = Link(
            id: self.makeID(), url: url, isDialed: url != nil, messages: TokenBucket(rate: rate, burst: rate * 20, now: time.instant),
            bytes: TokenBucket(rate: self.configuration.byteRate, burst: self.configuration.byteRate * 4, now: time.instant),
            keepAliveAt: url == nil ? time.instant + self.configuration.keepAliveInterval : nil)
        self.order.append(id)
        guard url != nil else {
            return (id, [.send(GunCodec.encode(GunMessage(id: self.newID(time), dam: "?", pid: self.pid)), to: id)])
        }
        var actions: [Action] = [.send(GunCodec.encode(GunMessage(id: self.newID(time), dam: "hi")), to: id)]
        // What we are the source of, and what we wait for: the relay may be a new one, or has forgotten.
        for soul in self.graph.ownSouls.sorted().prefix(self.configuration.resentNodeCount) {
            guard let node = self.graph.node(soul), !node.entries.isEmpty else { continue }
            actions.append(.send(GunCodec.encode(self.putMessage([node], time)), to: id))
        }
        for soul in self.subscriptions.keys.sorted() {
            actions.append(.send(GunCodec.encode(self.getMessage(GunQuery(soul: .exactly(soul)), time)), to: id))
        }
        return (id, actions)
    }

    mutating func disconnected(_ id: GunLinkID) {
        self.links[id] = nil
        self.order.removeAll { $0 == id }
    }

    private mutating func newID(_ time: GunTime) -> ExactText {
        let id = self.makeID()
        self.log.note(.message(id), via: nil, now: time.instant)
        return id
    }

    // MARK: Time

    /// When ``deadlineReached(at:)`` has something to do, as an instant and, for states, as milliseconds since 1970.
    var keepAliveDeadline: ContinuousClock.Instant? { self.links.values.compactMap(\.keepAliveAt).min() }
    var stateDeadline: Double? { self.graph.nextState }

    mutating func deadlineReached(at time: GunTime) -> [Action] {
        var actions: [Action] = []
        for id in self.order {
            guard let due = self.links[id]?.keepAliveAt, time.instant >= due else { continue }
            self.links[id]?.keepAliveAt = time.instant + self.configuration.keepAliveInterval
            actions.append(.send(Array("[]".utf8), to: id))
        }
        let changes = self.graph.timeCame(now: time.unix)
        if !changes.isEmpty { actions.append(.changed(changes)) }
        return actions
    }

    // MARK: This peer's own doing

    /// Writes `values` to `soul` and tells everybody.
    ///
    /// - Parameter state: Of all keys; nil: now.
    mutating func put(
        _ values: [ExactText: GunValue], to soul: ExactText, state: Double? = nil, at time: GunTime
    ) -> (id: ExactText, outcomes: [ExactText: GunGraph.Outcome], actions: [Action]) {
        var node = GunNode(soul)
        var outcomes: [ExactText: GunGraph.Outcome] = [:]
        var change = GunGraph.Change(soul: soul, keys: [])
        for key in values.keys.sorted() {
            guard let value = values[key] else { continue }
            let entry = GunEntry(value, state: state ?? self.clock.next(now: time.unix))
            // A state that a few writes of one millisecond carried into the next is not yet to come.
            let outcome = self.graph.write(entry, to: key, of: soul, now: max(time.unix, state == nil ? entry.state : time.unix), isOwn: true)
            outcomes[key] = outcome
            if outcome == .taken { change.keys.append(key) }
            if outcome == .taken || outcome == .deferred { node.entries[key] = entry }
        }
        let message = self.putMessage([node], time)
        var actions: [Action] = change.keys.isEmpty ? [] : [.changed([change])]
        if !node.entries.isEmpty {
            let bytes = GunCodec.encode(message)
            actions += self.order.map { .send(bytes, to: $0) }
        }
        return (message.id ?? "", outcomes, actions)
    }

    private mutating func putMessage(_ nodes: [GunNode], _ time: GunTime) -> GunMessage {
        var message = GunMessage(id: self.newID(time), put: nodes)
        message.neighbours = self.neighbours
        message.ok = .object(["@": .number(Self.acknowledgementCount), "/": .number(Double(self.links.count))])
        return message
    }

    /// Asks everybody.
    mutating func get(_ query: GunQuery, at time: GunTime) -> (id: ExactText, asked: [GunLinkID], actions: [Action]) {
        let message = self.getMessage(query, time)
        let bytes = GunCodec.encode(message)
        return (message.id ?? "", self.order, self.order.map { .send(bytes, to: $0) })
    }

    private mutating func getMessage(_ query: GunQuery, _ time: GunTime) -> GunMessage {
        GunMessage(id: self.newID(time), neighbours: self.neighbours, get: query)
    }

    /// Keeps asking for `soul` on every connection to come. Counted: as many calls of ``unsubscribe(_:)`` end it.
    ///
    /// - Returns: False if there are too many.
    mutating func subscribe(_ soul: ExactText) -> Bool {
        guard self.subscriptions[soul] != nil || self.subscriptions.count < self.configuration.subscriptionCount else { return false }
        self.subscriptions[soul, default: 0] += 1
        return true
    }

    mutating func unsubscribe(_ soul: ExactText) {
        guard let count = self.subscriptions[soul] else { return }
        self.subscriptions[soul] = count > 1 ? count - 1 : nil
    }

    mutating func answerLocally(_ query: GunQuery) -> [GunNode] { self.graph.answer(query) }

    mutating func forget(_ keys: [ExactText], of soul: ExactText) { self.graph.forget(keys, of: soul) }
    mutating func release(_ soul: ExactText) { self.graph.release(soul) }
    mutating func restore(_ node: GunStoredNode, now: Double) { self.graph.restore(node, now: now) }
    mutating func takeChanges(limit: Int) -> (changed: [GunStoredNode], removed: [ExactText]) { self.graph.takeChanges(limit: limit) }

    // MARK: Others

    /// A WebSocket message arrived that was too long to be kept.
    mutating func receivedOversize(from link: GunLinkID, at time: GunTime) -> [Action] {
        self.statistics.oversizeCount += 1
        guard self.links[link]?.messages.take(10, now: time.instant) == true else { return [] }
        return [.send(GunCodec.encode(GunMessage(id: self.newID(time), err: "Message too big!", dam: "!")), to: link)]
    }

    mutating func received(_ bytes: [UInt8], from link: GunLinkID, at time: GunTime) -> [Action] {
        guard self.links[link] != nil else { return [] }
        guard bytes.count <= self.configuration.limits.messageByteCount else { return self.receivedOversize(from: link, at: time) }
        guard self.links[link]?.bytes.take(Double(bytes.count), now: time.instant) == true else {
            self.statistics.throttledCount += 1
            return []
        }
        let messages: [Result<GunMessage, GunCodecError>]
        do throws(GunCodecError) { messages = try GunCodec.decode(bytes, limits: self.configuration.limits) } catch {
            self.statistics.malformedCount += 1
            // What can't be read costs as much as what can.
            _ = self.links[link]?.messages.take(1, now: time.instant)
            return []
        }
        var actions: [Action] = []
        for message in messages {
            guard self.links[link]?.messages.take(1, now: time.instant) == true else {
                self.statistics.throttledCount += 1
                continue
            }
            switch message {
            case .success(let message): self.received(message, from: link, at: time, &actions)
            case .failure: self.statistics.malformedCount += 1
            }
        }
        return actions
    }

    private mutating func received(_ received: GunMessage, from link: GunLinkID, at time: GunTime, _ actions: inout [Action]) {
        self.statistics.receivedMessageCount += 1
        self.statistics.malformedEntryCount += UInt64(received.malformedEntryCount)
        var message = received
        let id = message.id ?? self.makeID()
        message.id = id
        guard !self.log.isKnown(.message(id), now: time.instant) else {
            self.statistics.duplicateCount += 1
            return
        }
        if let dam = message.dam {
            self.log.note(.message(id), via: link, now: time.instant)
            return self.receivedVerb(dam, message, from: link, at: time, &actions)
        }
        guard message.put != nil || message.get != nil || message.answers != nil else {
            // gun.js passes on a message that says nothing.
            self.statistics.malformedCount += 1
            return
        }
        self.log.note(.message(id), via: link, hash: message.get == nil ? nil : message.hash, now: time.instant)
        if let nodes = message.put {
            let (accepted, isWhole) = self.merge(nodes, at: time, &actions)
            message.put = accepted
            if !isWhole || message.malformedEntryCount > 0 { message.hash = nil }
            if accepted.isEmpty {
                // Nothing to pass on, but whoever asked has an answer: what it knows already.
                if let asked = message.answers, let record = self.log[asked], record.via == nil { actions.append(.answered(asked, by: link, hasData: true)) }
                return
            }
        }
        if message.answers != nil { return self.receivedAnswer(message, from: link, at: time, &actions) }
        if message.put != nil {
            self.passOn(message, from: link, &actions)
            if self.actsAsStorage {
                let acknowledgement = GunMessage(id: self.newID(time), answers: id, ok: .bool(true))
                actions.append(.send(GunCodec.encode(acknowledgement), to: link))
            }
            return
        }
        if let query = message.get {
            message.hash = self.answer(query, of: message, to: link, at: time, &actions)
            self.passOn(message, from: link, &actions)
        }
    }

    private mutating func receivedVerb(
        _ dam: ExactText, _ message: GunMessage, from link: GunLinkID, at time: GunTime, _ actions: inout [Action]
    ) {
        switch dam {
        case "?":
            if let pid = message.pid {
                guard pid != self.pid else {
                    actions.append(.close(link, .ourselves))
                    return
                }
                self.links[link]?.pid = pid
            }
            guard message.answers == nil else { return }
            actions.append(.send(GunCodec.encode(GunMessage(id: self.newID(time), answers: message.id, dam: "?", pid: self.pid)), to: link))
        default:
            // "hi" asks nothing; "!" is a complaint; the others offer what is not taken from strangers: peers, options, WebRTC.
            break
        }
    }

    /// Merges what may be, and says what may be passed on: also what is old or still to come, as gun.js does, but nothing forged.
    private mutating func merge(_ nodes: [GunNode], at time: GunTime, _ actions: inout [Action]) -> ([GunNode], isWhole: Bool) {
        var accepted: [GunNode] = []
        var changes: [GunGraph.Change] = []
        var isWhole = true
        for node in nodes {
            let isOwn = self.graph.isOwn(node.soul)
            let isGuarded = self.graph.isGuarded(node.soul)
            var kept = GunNode(node.soul)
            var change = GunGraph.Change(soul: node.soul, keys: [])
            for key in node.sortedKeys {
                guard let entry = node.entries[key] else { continue }
                switch self.graph.write(entry, to: key, of: node.soul, now: time.unix) {
                case .taken:
                    change.keys.append(key)
                    kept.entries[key] = entry
                case .deferred:
                    kept.entries[key] = entry
                case .unchanged:
                    // Below a guard only what was checked is passed on, and this was not.
                    if !isGuarded { kept.entries[key] = entry } else { isWhole = false }
                case .refused:
                    isWhole = false
                case .quarantined:
                    isWhole = false
                case .forged:
                    isWhole = false
                    if isOwn { actions.append(.forgery(soul: node.soul, key: key, state: entry.state)) }
                }
            }
            if !change.keys.isEmpty { changes.append(change) }
            if !kept.entries.isEmpty { accepted.append(kept) }
        }
        if !changes.isEmpty { actions.append(.changed(changes)) }
        return (accepted, isWhole)
    }

    private mutating func receivedAnswer(_ message: GunMessage, from link: GunLinkID, at time: GunTime, _ actions: inout [Action]) {
        guard let asked = message.answers, var record = self.log[asked] else {
            self.statistics.unroutableCount += 1
            return
        }
        var message = message
        if let put = message.put {
            let hash = message.hash ?? GunHash.hash(GunNode.json(put))
            message.hash = hash
            guard !self.log.isKnown(.answer(asked, hash), now: time.instant) else {
                self.statistics.duplicateCount += 1
                // The same from another peer: the asker wants to know that this one has answered too.
                if record.via == nil { actions.append(.answered(asked, by: link, hasData: true)) }
                return
            }
            self.log.note(.answer(asked, hash), via: link, now: time.instant)
        }
        let isMiss = message.put == nil && message.ok == nil && message.err == nil
        guard let via = record.via else {
            if message.put != nil || isMiss {
                actions.append(.answered(asked, by: link, hasData: message.put != nil))
            } else {
                actions.append(.acknowledged(asked, by: link, error: message.err))
            }
            return
        }
        guard via != link, self.links[via] != nil, self.configuration.relays, record.passedAnswerCount < Self.passedAnswerCount else { return }
        // gun.js: "not found" is not worth saying when something was, nor twice.
        if isMiss, record.isMissAnswered || record.hash != nil { return }
        record.isMissAnswered = record.isMissAnswered || isMiss
        record.passedAnswerCount += 1
        self.log[asked] = record
        self.statistics.passedOnCount += 1
        message.neighbours = []
        actions.append(.send(GunCodec.encode(message), to: via))
    }

    /// Answers a get from the graph.
    ///
    /// - Returns: The hash that the get has when it is passed on, so that only those answer who have something else.
    private mutating func answer(
        _ query: GunQuery, of message: GunMessage, to link: GunLinkID, at time: GunTime, _ actions: inout [Action]
    ) -> Int32? {
        guard let id = message.id else { return nil }
        let found = self.graph.answer(query)
        guard !found.isEmpty else {
            if self.actsAsStorage, message.hash == nil {
                self.log[id]?.isMissAnswered = true
                actions.append(.send(GunCodec.encode(GunMessage(id: self.newID(time), answers: id)), to: link))
            }
            return message.hash
        }
        let chunks = Self.chunks(of: found, query)
        var answerID = self.newID(time)
        var hash: Int32?
        for (index, chunk) in chunks.enumerated() {
            hash = GunHash.hash(GunNode.json(chunk))
            var answer = GunMessage(id: answerID, answers: id, hash: hash, put: chunk)
            if index + 1 < chunks.count {
                answerID = self.newID(time)
                answer.more = .string(answerID)
            }
            if let hash, chunks.count == 1, hash == message.hash { return hash }
            if let hash { self.log.note(.answer(id, hash), via: nil, now: time.instant) }
            actions.append(.send(GunCodec.encode(answer), to: link))
        }
        guard chunks.count == 1 else {
            self.log[id]?.isMissAnswered = true
            return nil
        }
        self.log[id]?.hash = hash
        return hash
    }

    /// A whole node is answered nine entries at a time, everything else at once.
    static func chunks(of nodes: [GunNode], _ query: GunQuery) -> [[GunNode]] {
        guard query.key == nil, nodes.count == 1, let node = nodes.first, case .exactly = query.soul else { return [nodes] }
        // `_` counts where it sorts: by code units here, not in the order of JSON texts.
        let names = (Array(node.entries.keys) + ["_"]).sorted()
        var chunks: [[GunNode]] = []
        var index = 0
        while index < names.count {
            var chunk = GunNode(node.soul)
            for key in names[index..<min(index + Self.chunkKeyCount, names.count)] {
                if let entry = node.entries[key] { chunk.entries[key] = entry }
            }
            if !chunk.entries.isEmpty { chunks.append([chunk]) }
            index += Self.chunkKeyCount
        }
        return chunks
    }

    private var neighbours: [ExactText] {
        guard self.order.count > 1 else { return [] }
        return self.order.prefix(Self.neighbourCount).compactMap { self.links[$0]?.name }
    }

    /// Passes a put or a get to everybody but those who have it.
    private mutating func passOn(_ message: GunMessage, from link: GunLinkID, _ actions: inout [Action]) {
        guard self.configuration.relays else { return }
        let named = message.neighbours
        var message = message
        message.neighbours = self.neighbours
        if message.put != nil, case .object(let ok)? = message.ok {
            var wanted = 1.0
            if case .number(let number)? = ok["@"], number.isFinite, number != 0 { wanted = number }
            message.ok = .object(["@": .number(wanted - 1), "/": .number(Double(self.links.count))])
        } else {
            message.ok = nil
        }
        var bytes: [UInt8]?
        for id in self.order where id != link {
            guard let other = self.links[id], !other.isNamed(in: named) else { continue }
            let text = bytes ?? GunCodec.encode(message)
            bytes = text
            self.statistics.passedOnCount += 1
            actions.append(.send(text, to: id))
        }
    }
}
