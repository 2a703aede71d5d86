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

    /// One interface and address family; the owner of the sockets gives the numbers.
    struct InterfaceID: Hashable, Comparable, Sendable {
        var rawValue: Int
        static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
    }

    /// Where a datagram came from.
    struct Source: Hashable, Sendable {
        var address: SocketAddress
        /// The address is one of this machine's own.
        var isThisMachine: Bool

        var port: UInt16? { self.address.port.flatMap { UInt16(exactly: $0) } }
    }

    enum Destination: Hashable, Sendable {
        case group
        /// A simple resolver that sent from a port of its own (RFC 6762 §6.7).
        case unicast(Source)
    }

    enum Output: Hashable, Sendable {
        case send(DNSMessage, on: InterfaceID, to: Destination)
        /// A peer appeared, was refreshed, changed its addresses or, with none, left.
        case report(DiscoveredPeer)
    }

    /// libp2p discovery/mdns, "Definitions".
    static let serviceName = DNSName(["_p2p", "_udp", "local"])
    static let hostDomain = DNSName(["p2p", "local"])
    /// RFC 6763 §9.
    static let servicesName = DNSName(["_services", "_dns-sd", "_udp", "local"])
    /// libp2p discovery/mdns, "Response": the key of a TXT attribute. Keys have no case (RFC 6763 §6.4).
    static let attributeKey = "dnsaddr="

    /// RFC 6762 §5.2, §6: answers to a question that several may answer, and first queries, come 20 to 120 ms later.
    static let responseDelay: ClosedRange<Duration> = .milliseconds(20) ... .milliseconds(120)
    /// RFC 6762 §7.2: longer if more known answers are to follow.
    static let truncatedResponseDelay: ClosedRange<Duration> = .milliseconds(400) ... .milliseconds(500)
    /// RFC 6762 §6: a record goes to the group at most once a second.
    static let minimumResponseInterval: Duration = .seconds(1)
    /// RFC 6762 §5.2.
    static let initialQueryInterval: Duration = .seconds(1)
    /// RFC 6762 §8.3: two announcements, a second apart.
    static let announcementCount = 2
    static let announcementInterval: Duration = .seconds(1)
    /// RFC 6762 §10.1: a record taken back lives for one second more.
    static let goodbyeLifetime: Duration = .seconds(1)
    /// RFC 6762 §6.7: what a simple resolver may keep.
    static let unicastLifetimeSeconds: UInt32 = 10
    /// Ours: answers to simple resolvers in a second, on one interface. A source address can be forged.
    static let maximumUnicastResponsesPerSecond = 10
    /// Ours: what a response may take, so that it fits into one packet everywhere (RFC 6762 §17; IPv6 guarantees 1,280).
    static let maximumResponseByteCount = 1200
    /// Ours: known answers in one query, about a kilobyte.
    static let maximumKnownAnswerCount = 20
    /// Ours: the addresses of how many instances are asked for by name in one query.
    static let maximumTextQuestionCount = 8
    /// Ours: how long an instance that has told its name only is remembered.
    static let nameOnlyLifetime: Duration = .seconds(10)
    /// Ours: nobody's records are believed for longer, whatever they say. RFC 6762 §10 recommends 75 min at most.
    static let maximumLifetime: Duration = .seconds(4500)

    /// What has been asked of us.
    struct Answers: OptionSet, Hashable, Sendable {
        var rawValue: UInt8
        static let services = Self(rawValue: 1)
        static let pointer = Self(rawValue: 2)
        static let instance = Self(rawValue: 4)
        static let host = Self(rawValue: 8)
    }

    private struct Interface {
        var isLoopback: Bool
        var nextQuery: Instant
        var lastQuery: Instant?
        var queryInterval: Duration
        var announcementsLeft: Int
        var nextAnnouncement: Instant
        var pendingAnswers: Answers = []
        var answerAt: Instant?
        var lastResponse: Instant?
        /// Start of the second in which `unicastCount` answers were given.
        var unicastWindow: Instant?
        var unicastCount = 0
    }

    /// One `<peer-name>._p2p._udp.local`.
    private struct Entry {
        /// `nil` until its TXT record is known.
        var peer: PeerID?
        var addresses: [Multiaddr] = []
        var interface: InterfaceID
        var expires: Instant
        /// When half of its life is over: from then on it is not listed as known (RFC 6762 §7.1).
        var halfLife: Instant
        /// When to ask again, `nil` once that is done.
        var refreshAt: Instant?
        var isTextQueried = false
    }

    private let peer: PeerID
    private let configuration: LocalDiscoveryConfiguration
    private let instanceName: DNSName
    private let hostName: DNSName
    private var addresses: [Multiaddr]
    private var interfaces: [InterfaceID: Interface] = [:]
    private var entries: [DNSName: Entry] = [:]
    private var reported: [PeerID: DiscoveredPeer] = [:]
    private var outputs: [Output] = []
    private var nextOutput = 0
    /// Entries that were not taken because the table was full.
    private(set) var ignoredEntryCount = 0

    /// - Parameter peerName: A random label; see ``randomPeerName(using:)``.
    init(peer: PeerID, peerName: String, addresses: [Multiaddr], configuration: LocalDiscoveryConfiguration) {
        self.peer = peer
        self.configuration = configuration
        self.instanceName = Self.serviceName.child(peerName)
        self.hostName = Self.hostDomain.child(peerName)
        self.addresses = addresses
    }

    /// libp2p discovery/mdns, `peer-name`: random lower-case letters and digits, 32 at least, fewer than 64.
    static func randomPeerName(using generator: inout some RandomNumberGenerator) -> String {
        let characters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
        return String((0..<40).map { _ in characters[Int.random(in: 0..<characters.count, using: &generator)] })
    }

    /// When ``deadlineReached(now:using:)`` has something to do; `nil` while there is neither interface nor peer.
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
        }
        for entry in self.entries.values {
            consider(entry.expires)
            consider(entry.refreshAt)
        }
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

    // MARK: Inputs

    /// An interface can be used: query and announcement follow.
    mutating func interfaceAppeared(
        _ id: InterfaceID, isLoopback: Bool, now: Instant, using generator: inout some RandomNumberGenerator
    ) {
        let start = now + Self.randomDelay(in: Self.responseDelay, using: &generator)
        self.interfaces[id] = Interface(
            isLoopback: isLoopback, nextQuery: start, queryInterval: Self.initialQueryInterval,
            announcementsLeft: Self.announcementCount, nextAnnouncement: start)
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

    mutating func received(
        _ message: DNSMessage, from source: Source, on id: InterfaceID, now: Instant,
        using generator: inout some RandomNumberGenerator
    ) {
        guard self.interfaces[id] != nil else { return }  // closed a moment ago
        if message.isResponse {
            // RFC 6762 §6: whoever sends from another port is not a responder.
            guard source.port == self.configuration.port else { return }
            self.receivedResponse(message, from: source, on: id, now: now, using: &generator)
        } else {
            self.receivedQuery(message, from: source, on: id, now: now, using: &generator)
        }
    }

    mutating func deadlineReached(now: Instant, using generator: inout some RandomNumberGenerator) {
        self.expireEntries(now: now)
        for id in self.interfaces.keys.sorted() {
            guard var interface = self.interfaces[id] else { continue }
            if interface.announcementsLeft > 0, now >= interface.nextAnnouncement {
                interface.announcementsLeft -= 1
                interface.nextAnnouncement = now + Self.announcementInterval
                interface.pendingAnswers.formUnion(.pointer)
                interface.answerAt = now
            }
            if let answerAt = interface.answerAt, now >= answerAt {
                if let response = self.response(to: interface.pendingAnswers, isLoopback: interface.isLoopback) {
                    self.outputs.append(.send(response, on: id, to: .group))
                    interface.lastResponse = now
                }
                interface.pendingAnswers = []
                interface.answerAt = nil
            }
            if now >= interface.nextQuery {
                self.outputs.append(.send(self.query(on: id, now: now), on: id, to: .group))
                interface.lastQuery = now
                interface.nextQuery = now + interface.queryInterval
                interface.queryInterval = min(interface.queryInterval * 2, max(self.configuration.maximumQueryInterval, Self.initialQueryInterval))
            }
            self.interfaces[id] = interface
        }
        self.refreshEntries(now: now)
    }

    /// Takes our records back (RFC 6762 §10.1). The last input.
    mutating func stopped() {
        for id in self.interfaces.keys.sorted() {
            guard let interface = self.interfaces[id], interface.lastResponse != nil,
                var goodbye = self.response(to: .pointer, isLoopback: interface.isLoopback)
            else { continue }
            for index in goodbye.answers.indices { goodbye.answers[index].lifetimeSeconds = 0 }
            for index in goodbye.additionals.indices { goodbye.additionals[index].lifetimeSeconds = 0 }
            self.outputs.append(.send(goodbye, on: id, to: .group))
        }
        self.interfaces.removeAll()
    }

    // MARK: Answering

    private mutating func receivedQuery(
        _ message: DNSMessage, from source: Source, on id: InterfaceID, now: Instant,
        using generator: inout some RandomNumberGenerator
    ) {
        guard var interface = self.interfaces[id] else { return }
        var wanted = Answers()
        for question in message.questions { wanted.formUnion(self.answers(to: question)) }
        // RFC 6762 §7.1: not if the asker knows the answer and will for another half of its life.
        let knows = message.answers.contains { record in
            record.name == Self.serviceName && record.value == .pointer(self.instanceName)
                && record.lifetimeSeconds >= self.lifetimeSeconds / 2
        }
        if knows { wanted.remove(.pointer) }
        guard !wanted.isEmpty else { return }

        if source.port != self.configuration.port {
            if let window = interface.unicastWindow, now - window < .seconds(1) {
                guard interface.unicastCount < Self.maximumUnicastResponsesPerSecond else { return }
                interface.unicastCount += 1
            } else {
                interface.unicastWindow = now
                interface.unicastCount = 1
            }
            if var response = self.response(to: wanted, isLoopback: interface.isLoopback) {
                // §6.7: as an ordinary name server answers.
                response.identifier = message.identifier
                response.questions = message.questions
                for index in response.answers.indices { Self.makeUnicast(&response.answers[index]) }
                for index in response.additionals.indices { Self.makeUnicast(&response.additionals[index]) }
                self.outputs.append(.send(response, on: id, to: .unicast(source)))
            }
        } else {
            let range = message.isTruncated ? Self.truncatedResponseDelay : Self.responseDelay
            let soonest = now + Self.randomDelay(in: range, using: &generator)
            let allowed = interface.lastResponse.map { $0 + Self.minimumResponseInterval } ?? soonest
            interface.pendingAnswers.formUnion(wanted)
            interface.answerAt = interface.answerAt ?? max(soonest, allowed)
        }
        self.interfaces[id] = interface
    }

    private static func makeUnicast(_ record: inout DNSRecord) {
        record.flushesCache = false
        record.lifetimeSeconds = min(record.lifetimeSeconds, Self.unicastLifetimeSeconds)
    }

    private func answers(to question: DNSQuestion) -> Answers {
        func isFor(_ types: DNSRecordType...) -> Bool { question.type == .any || types.contains(question.type) }
        switch question.name {
        case Self.serviceName where isFor(.pointer): return .pointer
        case Self.servicesName where isFor(.pointer): return .services
        case self.instanceName where isFor(.service, .text): return .instance
        case self.hostName where isFor(.a, .aaaa): return .host
        default: return []
        }
    }

    /// What we say on an interface; `nil` if we have no address there to speak of.
    private func response(to wanted: Answers, isLoopback: Bool) -> DNSMessage? {
        let lifetime = self.lifetimeSeconds
        let announced = self.announcedAddresses(isLoopback: isLoopback)
        guard !announced.isEmpty, !wanted.isEmpty else { return nil }
        func message(_ addresses: ArraySlice<Multiaddr>) -> DNSMessage {
            let instance = [
                DNSRecord(
                    name: self.instanceName, value: .text(addresses.map { Array((Self.attributeKey + $0.description).utf8) }),
                    lifetimeSeconds: lifetime, flushesCache: true),
                DNSRecord(
                    name: self.instanceName, value: .service(port: Self.port(of: addresses), target: self.hostName),
                    lifetimeSeconds: lifetime, flushesCache: true),
            ]
            let host = Self.ipAddresses(of: addresses).map { value in
                DNSRecord(name: self.hostName, value: value, lifetimeSeconds: lifetime, flushesCache: true)
            }
            var message = DNSMessage(isResponse: true)
            if wanted.contains(.services) {
                message.answers.append(
                    DNSRecord(name: Self.servicesName, value: .pointer(Self.serviceName), lifetimeSeconds: lifetime))
            }
            if wanted.contains(.pointer) {
                message.answers.append(
                    DNSRecord(name: Self.serviceName, value: .pointer(self.instanceName), lifetimeSeconds: lifetime))
            }
            if wanted.contains(.instance) {
                message.answers += instance
            } else if wanted.contains(.pointer) {
                message.additionals += instance
            }
            if wanted.contains(.host) {
                message.answers += host
            } else if !wanted.isDisjoint(with: [.pointer, .instance]) {
                message.additionals += host
            }
            return message
        }
        // As many addresses as fit into a packet, the first ones first.
        var count = announced.count
        while true {
            let candidate = message(announced.prefix(count))
            var writer = DNSWriter()
            writer.write(candidate)
            if writer.bytes.count <= Self.maximumResponseByteCount || count == 1 { return candidate }
            count -= 1
        }
    }

    /// Our addresses that make sense to others on the interface, with our id at the end.
    private func announcedAddresses(isLoopback: Bool) -> [Multiaddr] {
        let own = self.addresses.lazy.filter { Self.isUseful($0, mayBeLoopback: isLoopback) }.map { $0.withPeerID(self.peer) }
        // RFC 1035 §3.3: a string of a TXT record has 255 bytes at most.
        return Array(own.filter { Self.attributeKey.utf8.count + $0.description.utf8.count <= 255 }.prefix(self.configuration.maximumAddressCount))
    }

    private var lifetimeSeconds: UInt32 {
        UInt32(clamping: max(1, self.configuration.recordLifetime.components.seconds))
    }

    /// Begins with an IP address that can be reached from the same network, and leads straight to the peer: no name to look up,
    /// no relay.
    private static func isUseful(_ address: Multiaddr, mayBeLoopback: Bool) -> Bool {
        guard !address.components.contains(.p2pCircuit) else { return false }
        let scope: AddressScope
        switch address.components.first {
        case .ip4(let ip): scope = ip.scope
        case .ip6(let ip) where ip.scope == .linkLocal: return false  // useless without a zone, which differs for each machine
        case .ip6(let ip): scope = ip.scope
        default: return false
        }
        switch scope {
        case .global, .private, .linkLocal, .carrierGradeNAT, .documentation: return address.components.count > 1
        case .loopback: return mayBeLoopback && address.components.count > 1
        case .multicast, .unspecified, .reserved: return false
        }
    }

    /// The port that an SRV record needs; libp2p's readers ignore it.
    private static func port(of addresses: ArraySlice<Multiaddr>) -> UInt16 {
        for component in addresses.lazy.flatMap(\.components) {
            switch component {
            case .tcp(let port), .udp(let port): return port
            default: continue
            }
        }
        return 0
    }

    private static func ipAddresses(of addresses: ArraySlice<Multiaddr>) -> [DNSRecord.Value] {
        var values: [DNSRecord.Value] = []
        for address in addresses {
            let value: DNSRecord.Value
            switch address.components.first {
            case .ip4(let ip): value = .a(ip)
            case .ip6(let ip): value = .aaaa(ip)
            default: continue
            }
            if !values.contains(value) { values.append(value) }
        }
        return values
    }

    // MARK: Asking

    private mutating func query(on id: InterfaceID, now: Instant) -> DNSMessage {
        var message = DNSMessage(isResponse: false, questions: [DNSQuestion(name: Self.serviceName, type: .pointer)])
        let known = self.entries.filter { $0.value.interface == id }.sorted { $0.value.expires > $1.value.expires }
        for (name, entry) in known {
            if entry.peer == nil {
                guard !entry.isTextQueried, message.questions.count <= Self.maximumTextQuestionCount else { continue }
                self.entries[name]?.isTextQueried = true
                message.questions.append(DNSQuestion(name: name, type: .text))
            } else if message.answers.count < Self.maximumKnownAnswerCount, now < entry.halfLife {
                message.answers.append(
                    DNSRecord(
                        name: Self.serviceName, value: .pointer(name),
                        lifetimeSeconds: UInt32(clamping: (entry.expires - now).components.seconds)))
            }
        }
        return message
    }

    /// RFC 6762 §5.2: asks once more when four fifths of a record's life are over.
    private mutating func refreshEntries(now: Instant) {
        for (name, entry) in self.entries {
            guard let refreshAt = entry.refreshAt, now >= refreshAt else { continue }
            self.entries[name]?.refreshAt = nil
            self.askSooner(on: entry.interface, at: now)
        }
    }

    /// Brings the next query forward, but not closer than a second to the last one (RFC 6762 §5.2).
    private mutating func askSooner(on id: InterfaceID, at instant: Instant) {
        guard let interface = self.interfaces[id] else { return }
        let allowed = max(instant, interface.lastQuery.map { $0 + Self.initialQueryInterval } ?? instant)
        self.interfaces[id]?.nextQuery = min(interface.nextQuery, allowed)
    }

    // MARK: Learning

    private mutating func receivedResponse(
        _ message: DNSMessage, from source: Source, on id: InterfaceID, now: Instant,
        using generator: inout some RandomNumberGenerator
    ) {
        /// What the message says of each instance: how long to believe it, and the strings of all its TXT records.
        var heard: [DNSName: (lifetime: Duration, strings: [[UInt8]]?)] = [:]
        var order: [DNSName] = []
        for record in message.answers + message.additionals {
            let name: DNSName
            var strings: [[UInt8]]?
            switch record.value {
            case .pointer(let target) where record.name == Self.serviceName: name = target
            case .text(let text):
                name = record.name
                strings = text
            default: continue
            }
            guard name != self.instanceName, name.parent == Self.serviceName else { continue }
            let lifetime = min(.seconds(Int64(record.lifetimeSeconds)), Self.maximumLifetime)
            if let known = heard[name] {
                let all = known.strings.map { $0 + (strings ?? []) } ?? strings
                heard[name] = (min(known.lifetime, lifetime), all)
            } else {
                heard[name] = (lifetime, strings)
                order.append(name)
            }
        }
        for name in order {
            guard let (lifetime, strings) = heard[name] else { continue }
            self.heardOf(name, lifetime: lifetime, strings: strings, from: source, on: id, now: now)
        }
        // An instance without addresses is asked for by name.
        if order.contains(where: { self.entries[$0].map { $0.peer == nil && !$0.isTextQueried } ?? false }) {
            self.askSooner(on: id, at: now + Self.randomDelay(in: Self.responseDelay, using: &generator))
        }
    }

    private mutating func heardOf(
        _ name: DNSName, lifetime: Duration, strings: [[UInt8]]?, from source: Source, on id: InterfaceID, now: Instant
    ) {
        if lifetime == .zero {
            guard var entry = self.entries[name] else { return }
            entry.expires = min(entry.expires, now + Self.goodbyeLifetime)
            entry.refreshAt = nil
            self.entries[name] = entry
            return
        }
        guard self.entries[name] != nil || self.entries.count < self.configuration.maximumPeerCount else {
            self.ignoredEntryCount += 1
            return
        }
        var entry = self.entries[name] ?? Entry(interface: id, expires: now, halfLife: now)
        if let strings {
            guard let (peer, addresses) = self.peer(in: strings, from: source), peer != self.peer else { return }
            let former = entry.peer
            entry.peer = peer
            entry.addresses = addresses
            if let former, former != peer {
                self.entries[name] = entry
                self.reportIfChanged(former, now: now)
            }
        }
        entry.interface = id
        if entry.peer == nil {
            // The name alone does not prolong itself.
            if self.entries[name] == nil { entry.expires = now + min(lifetime, Self.nameOnlyLifetime) }
        } else {
            entry.expires = now + lifetime
            entry.halfLife = now + lifetime / 2
            entry.refreshAt = now + lifetime * 4 / 5
        }
        self.entries[name] = entry
        if let peer = entry.peer { self.reportIfChanged(peer, now: now) }
    }

    /// The peer that a TXT record speaks for, with those of its addresses that name it. The first address says who it is.
    private func peer(in strings: [[UInt8]], from source: Source) -> (peer: PeerID, addresses: [Multiaddr])? {
        var speaker: PeerID?
        var addresses: [Multiaddr] = []
        for string in strings {
            guard addresses.count < self.configuration.maximumAddressCount,
                let text = String(validating: string, as: UTF8.self), text.lowercased().hasPrefix(Self.attributeKey)
            else { continue }
            let address: Multiaddr
            do throws(MultiaddrError) {
                address = try Multiaddr(String(text.dropFirst(Self.attributeKey.count)))
            } catch {
                continue  // a protocol that is not known here, most likely
            }
            guard let peer = address.peerID, speaker == nil || speaker == peer else { continue }
            speaker = peer
            let bare = address.removingPeerID()
            guard bare.peerID == nil, Self.isUseful(bare, mayBeLoopback: source.isThisMachine), !addresses.contains(bare) else { continue }
            addresses.append(bare)
        }
        guard let speaker, !addresses.isEmpty else { return nil }
        return (speaker, addresses)
    }

    private mutating func expireEntries(now: Instant) {
        for (name, entry) in self.entries where now >= entry.expires {
            self.entries[name] = nil
            if let peer = entry.peer { self.reportIfChanged(peer, now: now) }
        }
    }

    /// Puts together what all instances say of a peer. There is more than one for a while after a restart.
    private mutating func reportIfChanged(_ peer: PeerID, now: Instant) {
        let entries = self.entries.values.filter { $0.peer == peer }.sorted { $0.expires > $1.expires }
        var addresses: [Multiaddr] = []
        for address in entries.lazy.flatMap(\.addresses) where !addresses.contains(address) {
            guard addresses.count < self.configuration.maximumAddressCount else { break }
            addresses.append(address)
        }
        guard let last = entries.first else {
            if self.reported.removeValue(forKey: peer) != nil {
                self.outputs.append(.report(DiscoveredPeer(peer: peer, addresses: [], expires: now)))
            }
            return
        }
        let known = self.reported[peer]
        let report = DiscoveredPeer(peer: peer, addresses: addresses, expires: last.expires)
        self.reported[peer] = report
        // A refresh is worth a word once a second at most; the order of the addresses is of no matter.
        guard let known, Set(known.addresses) == Set(addresses), report.expires - known.expires < .seconds(1) else {
            self.outputs.append(.report(report))
            return
        }
        self.reported[peer]?.expires = known.expires
    }

    private static func randomDelay(in range: ClosedRange<Duration>, using generator: inout some RandomNumberGenerator) -> Duration {
        let span = range.upperBound - range.lowerBound
        return range.lowerBound + span * Double.random(in: 0...1, using: &generator)
    }
}
