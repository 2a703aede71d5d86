import DIGIdentity
import DIGMultiformats
import NIOCore

/// Announces one peer and learns of others by multicast DNS (libp2p discovery/mdns r2, RFC 6762).
///
/// Every input may queue outputs: after each, drain ``poll()`` until it returns `nil`, then wait until ``deadline`` and
/// call ``deadlineReached(now:using:)``. Early and repeated calls are harmless.
///
/// Not done, with reasons: names are not probed (RFC 6762 §8.1), because 160 random bits do not collide; known answers are
/// not gathered over several packets (§7.2), an answer too many does no harm.
struct LocalDiscoveryStateMachine {
    typealias Instant = ContinuousClock.Instant

    let peer: PeerID
    let configuration: LocalDiscoveryConfiguration
    let instanceName: DNSName
    let hostName: DNSName
    /// Whether this node has a content.
    let holds: @Sendable (LocalKey) -> Bool
    var addresses: [Multiaddr]
    var interfaces: [InterfaceID: Interface] = [:]
    var entries: [DNSName: Entry] = [:]
    var reported: [PeerID: DiscoveredPeer] = [:]
    var questions: [LocalKey: ContentQuestion] = [:]
    /// Contents that somebody may believe to be here, and until when.
    var told: [LocalKey: Instant] = [:]
    /// Contents that are to be taken back, and when the next packet of them may go.
    var takenBack: [LocalKey] = []
    var takeBackAt: Instant?
    /// Entries that were not taken because the table was full.
    var ignoredEntryCount = 0
    private var outputs: [Output] = []
    private var nextOutput = 0

    /// - Parameters:
    ///   - peerName: A random label; see ``randomPeerName(using:)``.
    ///   - holds: Whether this node has a content. Asked for each that somebody asks for.
    init(
        peer: PeerID, peerName: String, addresses: [Multiaddr], configuration: LocalDiscoveryConfiguration,
        holds: @escaping @Sendable (LocalKey) -> Bool = { _ in false }
    ) {
        self.peer = peer
        self.configuration = configuration
        self.instanceName = Self.serviceName.child(peerName)
        self.hostName = Self.hostDomain.child(peerName)
        self.addresses = addresses
        self.holds = holds
    }

    /// libp2p discovery/mdns, `peer-name`: random lower-case letters and digits, 32 at least, fewer than 64.
    static func randomPeerName(using generator: inout some RandomNumberGenerator) -> String {
        let characters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
        return String((0..<40).map { _ in characters[Int.random(in: 0..<characters.count, using: &generator)] })
    }

    static func randomDelay(in range: ClosedRange<Duration>, using generator: inout some RandomNumberGenerator) -> Duration {
        let span = range.upperBound - range.lowerBound
        return range.lowerBound + span * Double.random(in: 0...1, using: &generator)
    }

    // MARK: Outputs

    /// When ``deadlineReached(now:using:)`` has something to do; `nil` while there is nothing to wait for.
    var deadline: Instant? {
        var deadline: Instant?
        func consider(_ instant: Instant?) {
            guard let instant else { return }
            deadline = min(deadline ?? instant, instant)
        }
        for interface in self.interfaces.values {
            consider(interface.nextQuery)
            if interface.announcementsLeft > 0 { consider(interface.nextAnnouncement) }
            consider(interface.answerAt)
            for answer in interface.unicastAnswers { consider(answer.at) }
        }
        for entry in self.entries.values {
            consider(entry.expires)
            consider(entry.refreshAt)
        }
        for question in self.questions.values {
            // Nobody to ask, until there is an interface again.
            if !self.interfaces.isEmpty { consider(question.nextAt) }
            for holder in question.holders.values { consider(holder.expires) }
        }
        consider(self.takeBackAt)
        return deadline
    }

    /// The peers known.
    var peers: [DiscoveredPeer] { Array(self.reported.values) }

    mutating func poll() -> Output? {
        guard self.nextOutput < self.outputs.count else {
            self.outputs.removeAll(keepingCapacity: true)
            self.nextOutput = 0
            return nil
        }
        defer { self.nextOutput += 1 }
        return self.outputs[self.nextOutput]
    }

    mutating func put(_ output: Output) { self.outputs.append(output) }

    // MARK: Inputs

    /// An interface can be used: query and announcement follow.
    mutating func interfaceAppeared(
        _ id: InterfaceID, isLoopback: Bool, now: Instant, using generator: inout some RandomNumberGenerator
    ) {
        let start = now + Self.randomDelay(in: Self.responseDelay, using: &generator)
        self.interfaces[id] = Interface(
            isLoopback: isLoopback, nextQuery: start, queryInterval: Self.initialQueryInterval,
            announcementsLeft: Self.announcementCount, nextAnnouncement: start)
        self.askForContentsAnew(at: start)
    }

    mutating func interfaceVanished(_ id: InterfaceID) {
        self.interfaces[id] = nil
    }

    /// Our own addresses are others: they are announced.
    mutating func addressesChanged(_ addresses: [Multiaddr], now: Instant) {
        guard addresses != self.addresses else { return }
        self.addresses = addresses
        for (id, interface) in self.interfaces {
            var interface = interface
            interface.announcementsLeft = Self.announcementCount
            interface.nextAnnouncement = max(now, interface.lastResponse.map { $0 + Self.minimumResponseInterval } ?? now)
            self.interfaces[id] = interface
        }
    }

    /// - Parameter isUnicast: It came to the port of our own from which questions for unicast answers are sent, and not from the group.
    mutating func received(
        _ message: DNSMessage, from source: Source, on id: InterfaceID, isUnicast: Bool = false, now: Instant,
        using generator: inout some RandomNumberGenerator
    ) {
        guard self.interfaces[id] != nil else { return }  // closed a moment ago
        if message.isResponse {
            // RFC 6762 §6: whoever sends from another port is not a responder. §11: nobody off the link is.
            guard source.port == self.configuration.port, !isUnicast || source.isOnLink else { return }
            self.receivedResponse(message, from: source, on: id, isUnicast: isUnicast, now: now, using: &generator)
        } else if !isUnicast {
            self.receivedQuery(message, from: source, on: id, now: now, using: &generator)
        }
    }

    mutating func deadlineReached(now: Instant, using generator: inout some RandomNumberGenerator) {
        self.expireEntries(now: now)
        self.expireHolders(now: now)
        for id in self.interfaces.keys.sorted() {
            guard var interface = self.interfaces[id] else { continue }
            if interface.announcementsLeft > 0, now >= interface.nextAnnouncement {
                interface.announcementsLeft -= 1
                interface.nextAnnouncement = now + Self.announcementInterval
                interface.pendingAnswers.formUnion(.pointer)
                interface.answerAt = now
            }
            self.answer(on: id, &interface, now: now)
            if now >= interface.nextQuery {
                if interface.lastQuery == nil {
                    // RFC 6762 §5.4: the first question asks for unicast answers, which nobody has to hold back for a second. From a port of our
                    // own (§5.1, §6.7): on the common one only one of a machine's programs would hear them (§15.1).
                    var question = DNSMessage(isResponse: false)
                    question.questions = [DNSQuestion(name: Self.serviceName, type: .pointer, prefersUnicast: true)]
                    self.put(.send(question, on: id, to: .groupForUnicast))
                }
                self.put(.send(self.query(on: id, now: now), on: id, to: .group))
                interface.lastQuery = now
                interface.nextQuery = now + interface.queryInterval
                interface.queryInterval = min(interface.queryInterval * 2, max(self.configuration.maximumQueryInterval, Self.initialQueryInterval))
            }
            self.interfaces[id] = interface
        }
        self.refreshEntries(now: now)
        self.askForContents(now: now)
        self.takeBack(now: now)
    }

    /// Takes our records back (RFC 6762 §10.1). The last input.
    mutating func stopped() {
        for id in self.interfaces.keys.sorted() {
            guard let interface = self.interfaces[id], interface.lastResponse != nil || interface.hasAnsweredByUnicast,
                var goodbye = self.response(to: .pointer, contents: [], isLoopback: interface.isLoopback)
            else { continue }
            for index in goodbye.answers.indices { goodbye.answers[index].lifetimeSeconds = 0 }
            for index in goodbye.additionals.indices { goodbye.additionals[index].lifetimeSeconds = 0 }
            self.put(.send(goodbye, on: id, to: .group))
        }
        self.interfaces.removeAll()
    }
}
