@testable import DIGLocalDiscovery
import DIGIdentity
import DIGMultiformats
import DIGTestSupport
import NIOCore
import Testing

@Suite("Local discovery state machine")
struct LocalDiscoveryStateMachineTests {
    typealias Machine = LocalDiscoveryStateMachine

    let alice: PeerID
    let bob: PeerID
    let aliceAddress: Multiaddr
    let bobAddress: Multiaddr

    init() throws {
        self.alice = try KeyPair.generate().peerID
        self.bob = try KeyPair.generate(.ecdsa).peerID
        self.aliceAddress = try Multiaddr("/ip4/10.0.0.1/tcp/4001")
        self.bobAddress = try Multiaddr("/ip6/fd00::2/udp/4002/quic-v1")
    }

    static let query = DNSMessage(isResponse: false, questions: [DNSQuestion(name: Machine.serviceName, type: .pointer)])

    /// What some responder says of itself.
    static func announcement(_ name: String, _ texts: [String], lifetime: UInt32 = 120) -> DNSMessage {
        let instance = Machine.serviceName.child(name)
        return DNSMessage(
            isResponse: true, answers: [DNSRecord(name: Machine.serviceName, value: .pointer(instance), lifetimeSeconds: lifetime)],
            additionals: [DNSRecord(name: instance, value: .text(texts.map { Array($0.utf8) }), lifetimeSeconds: lifetime, flushesCache: true)])
    }

    @Test("two peers find each other at once, keep each other, and say goodbye")
    func story() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress])
        let b = network.add(self.bob, addresses: [self.bobAddress])
        try network.run(for: .milliseconds(200))
        #expect(network.reports[a].last?.peer == self.bob)
        #expect(network.reports[a].last?.addresses == [self.bobAddress])
        #expect(network.reports[b].last?.peer == self.alice)
        #expect(network.reports[b].last?.addresses == [self.aliceAddress])
        // An hour of quiet: nobody is ever lost.
        try network.run(for: .seconds(3600))
        #expect(network.reports[a].allSatisfy { $0.addresses == [self.bobAddress] })
        #expect(network.reports[b].allSatisfy { $0.addresses == [self.aliceAddress] })
        #expect(network.machines[a].peers.map(\.peer) == [self.bob])
        let before = network.now
        try network.stop(b)
        try network.run(for: .seconds(2))
        #expect(network.reports[a].last == DiscoveredPeer(peer: self.bob, addresses: [], expires: before + .seconds(1)))
        #expect(network.machines[a].peers.isEmpty)
    }

    @Test("a peer that vanishes is forgotten when its records are over")
    func vanished() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress])
        let b = network.add(self.bob, addresses: [self.bobAddress])
        try network.run(for: .seconds(5))
        network.isConnected[b] = false
        try network.run(for: .seconds(110))
        #expect(network.machines[a].peers.count == 1)
        try network.run(for: .seconds(15))
        #expect(network.machines[a].peers.isEmpty)
        #expect(network.reports[a].last?.addresses == [])
    }

    @Test("a late comer is found by its announcement, without a query of ours")
    func lateComer() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress])
        try network.run(for: .seconds(1000))
        _ = network.add(self.bob, addresses: [self.bobAddress])
        try network.run(for: .milliseconds(150))
        #expect(network.reports[a].map(\.peer) == [self.bob])
    }

    @Test("announces twice and asks at growing intervals (RFC 6762 §5.2, §8.3)")
    func schedule() throws {
        var network = TestNetwork()
        var configuration = LocalDiscoveryConfiguration()
        configuration.maximumQueryInterval = .seconds(8)
        _ = network.add(self.alice, addresses: [self.aliceAddress], configuration: configuration)
        try network.run(for: .seconds(40))
        // The first question is asked twice: of the group, and for unicast answers.
        #expect(network.sent.filter { $0.destination == .groupForUnicast }.map(\.at) == network.sent.filter { !$0.message.isResponse }.prefix(1).map(\.at))
        let queries = network.sent.filter { !$0.message.isResponse && $0.destination == .group }.map(\.at)
        let first = try #require(queries.first)
        #expect((.milliseconds(20) ... .milliseconds(120)).contains(first - network.start))
        let intervals = zip(queries.dropFirst(), queries).map { $0 - $1 }
        #expect(intervals == [1, 2, 4, 8, 8, 8, 8].map { .seconds($0) })
        let responses = network.sent.filter(\.message.isResponse).map(\.at)
        #expect(responses.first == first)
        // One for each announcement and each query of its own, never two in a second.
        #expect(zip(responses.dropFirst(), responses).allSatisfy { $0 - $1 >= .seconds(1) })
    }

    @Test("answers many askers once a second")
    func rateLimit() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress])
        try network.run(for: .seconds(100))
        network.sent = []
        for step in 0..<1000 {
            try network.inject(Self.query, from: try TestNetwork.source(2 + step % 100), to: a)
            try network.run(for: .milliseconds(3))
        }
        let count = network.sent.filter(\.message.isResponse).count
        #expect((3...4).contains(count))
    }

    @Test("is silent when the asker knows the answer, and for how long (RFC 6762 §7.1)")
    func knownAnswers() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress])
        try network.run(for: .seconds(100))
        var query = Self.query
        query.answers = try #require(network.sent.last { $0.message.isResponse }).message.answers
        network.sent = []
        query.answers[0].lifetimeSeconds = 60
        try network.inject(query, from: try TestNetwork.source(5), to: a)
        try network.run(for: .seconds(1))
        #expect(network.sent.isEmpty)
        query.answers[0].lifetimeSeconds = 59
        try network.inject(query, from: try TestNetwork.source(5), to: a)
        try network.run(for: .seconds(1))
        #expect(network.sent.count == 1)
    }

    @Test("lists in its queries what it knows")
    func listsKnownAnswers() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress])
        try network.inject(Self.announcement("bob", ["dnsaddr=\(self.bobAddress)/p2p/\(self.bob)"]), from: try TestNetwork.source(1), to: a)
        try network.run(for: .milliseconds(120))
        let query = try #require(network.sent.first { !$0.message.isResponse && $0.destination == .group }).message
        #expect(query.answers.map(\.value) == [.pointer(Machine.serviceName.child("bob"))])
        // When half of the life is over it is no longer listed, and before the end it is asked for.
        network.sent = []
        try network.run(for: .seconds(119))
        let later = network.sent.filter { !$0.message.isResponse && $0.at - network.start > .seconds(61) }
        #expect(later.contains { $0.at - network.start < .seconds(98) })
        #expect(later.allSatisfy { $0.message.answers.isEmpty })
    }

    @Test("answers what a browser of services asks (discovery/mdns, \"Gotchas\")")
    func browser() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress])
        try network.run(for: .seconds(100))
        let announced = try #require(network.sent.last { $0.message.isResponse }).message
        guard case .pointer(let instance) = announced.answers[0].value else { throw DNSDecodingError.invalidValue }
        #expect((32..<64).contains(instance.labels[0].count))
        #expect(announced.additionals.map(\.type) == [.text, .service, .a])
        #expect(announced.additionals[0].value == .text(["dnsaddr=\(self.aliceAddress)/p2p/\(self.alice)", "dig=1"].map { Array($0.utf8) }))
        #expect(announced.additionals.allSatisfy { $0.flushesCache })
        #expect(!announced.answers[0].flushesCache)
        let host = Machine.hostDomain.child(String(decoding: instance.labels[0], as: UTF8.self))
        #expect(announced.additionals[1].value == .service(port: 4001, target: host))

        func answers(_ name: DNSName, _ type: DNSRecordType) throws -> [DNSRecordType] {
            network.sent = []
            try network.inject(
                DNSMessage(isResponse: false, questions: [DNSQuestion(name: name, type: type)]), from: try TestNetwork.source(7), to: a)
            try network.run(for: .seconds(2))
            return network.sent.first { $0.message.isResponse }?.message.answers.map(\.type) ?? []
        }
        #expect(try answers(Machine.serviceName, .any) == [.pointer])
        #expect(try answers(Machine.servicesName, .pointer) == [.pointer])
        #expect(try answers(instance, .text) == [.text, .service])
        #expect(try answers(instance, .service) == [.text, .service])
        #expect(try answers(host, .a) == [.a])
        #expect(try answers(host, .aaaa) == [.a])
        #expect(try answers(host, .text) == [])
        #expect(try answers(Machine.serviceName, .text) == [])
        #expect(try answers(DNSName(["_ipp", "_tcp", "local"]), .pointer) == [])
        #expect(try answers(Machine.serviceName.child("somebody"), .text) == [])
    }

    @Test("answers simple resolvers by unicast, so many a second (RFC 6762 §6.7), and nobody off the link (§11)")
    func simpleResolvers() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress])
        try network.run(for: .seconds(100))
        network.sent = []
        var query = Self.query
        query.identifier = 0x1234
        let source = try TestNetwork.source(3, port: 40_000)
        for _ in 0..<200 { try network.inject(query, from: source, to: a) }
        try network.run(for: .milliseconds(130))
        #expect(network.sent.count == Machine.maximumUnicastResponsesPerSecond)
        let first = try #require(network.sent.first)
        #expect(first.destination == .unicast(source))
        #expect(first.message.identifier == 0x1234)
        #expect(first.message.questions == query.questions)
        #expect((first.message.answers + first.message.additionals).allSatisfy { $0.lifetimeSeconds <= 10 && !$0.flushesCache })
        try network.run(for: .seconds(1))
        network.sent = []
        try network.inject(query, from: try TestNetwork.source(3, port: 40_000, isOnLink: false), to: a)
        try network.run(for: .milliseconds(130))
        #expect(network.sent.isEmpty)
        try network.inject(query, from: source, to: a)
        try network.run(for: .milliseconds(130))
        #expect(network.sent.count == 1)
    }

    @Test("whoever has just announced itself answers by unicast all the same, to who asks for that (RFC 6762 §5.4)")
    func unicastQuestion() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress])
        try network.run(for: .milliseconds(1130))
        let announced = try #require(network.sent.last { $0.message.isResponse })
        #expect(network.now - announced.at < .milliseconds(200))
        network.sent = []
        var query = Self.query
        query.questions[0].prefersUnicast = true
        let source = try TestNetwork.source(3)
        try network.inject(query, from: source, to: a)
        try network.run(for: .milliseconds(120))
        #expect(network.sent.map(\.destination) == [.unicast(source)])
        let answer = try #require(network.sent.first).message
        // To one that keeps what it hears: as to the group.
        #expect(answer.answers == announced.message.answers && answer.questions.isEmpty && answer.answers.allSatisfy { $0.lifetimeSeconds == 120 })

        // One that is not of the link is answered where only the link hears it, and when others are.
        network.sent = []
        try network.inject(query, from: try TestNetwork.source(3, isOnLink: false), to: a)
        try network.run(for: .seconds(1))
        #expect(network.sent.filter(\.message.isResponse).map(\.destination) == [.group])

        // What the group has not heard for a quarter of its life it is told.
        try network.run(for: .seconds(200))
        let last = try #require(network.sent.last { $0.message.isResponse }).at
        try network.run(for: last + .seconds(31) - network.now)
        network.sent = []
        try network.inject(query, from: source, to: a)
        try network.run(for: .milliseconds(120))
        #expect(network.sent.filter(\.message.isResponse).map(\.destination) == [.group])
    }

    @Test("finds within 250 ms who has just announced itself, and keeps it when answers by unicast are over")
    func promptness() throws {
        for seed in 0..<50 {
            var network = TestNetwork()
            network.generator = SeededGenerator(seed: UInt64(seed))
            let a = network.add(self.alice, addresses: [self.aliceAddress])
            try network.run(for: .milliseconds(100 + 17 * seed))
            let b = network.add(self.bob, addresses: [self.bobAddress])
            try network.run(for: .milliseconds(250))
            #expect(Set(network.reports[b].map(\.peer)) == [self.alice], "\(seed)")
            try network.run(for: .seconds(300))
            #expect(network.reports[b].allSatisfy { !$0.addresses.isEmpty } && network.machines[b].peers.map(\.peer) == [self.alice])
            _ = a
        }
        // Behind a firewall that lets no unicast answer in, it takes the second that it always took.
        var network = TestNetwork()
        network.losesUnicast = true
        _ = network.add(self.alice, addresses: [self.aliceAddress])
        try network.run(for: .milliseconds(130))
        let b = network.add(self.bob, addresses: [self.bobAddress])
        try network.run(for: .milliseconds(1300))
        #expect(network.reports[b].map(\.peer).first == self.alice)
    }

    @Test("a unicast answer counts only if it comes from the link, and takes nothing back")
    func unicastAnswers() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress])
        let announcement = Self.announcement("bob", ["dnsaddr=\(self.bobAddress)/p2p/\(self.bob)"], lifetime: 10)
        try network.inject(announcement, from: try TestNetwork.source(1, isOnLink: false), to: a, isUnicast: true)
        try network.inject(announcement, from: try TestNetwork.source(1, port: 999), to: a, isUnicast: true)
        #expect(network.reports[a].isEmpty)
        try network.inject(announcement, from: try TestNetwork.source(1), to: a, isUnicast: true)
        #expect(network.reports[a].map(\.peer) == [self.bob])
        // The group says more; the next unicast answer does not make it less.
        try network.inject(Self.announcement("bob", ["dnsaddr=\(self.bobAddress)/p2p/\(self.bob)"]), from: try TestNetwork.source(1), to: a)
        try network.inject(announcement, from: try TestNetwork.source(1), to: a, isUnicast: true)
        try network.inject(Self.announcement("bob", ["dnsaddr=\(self.bobAddress)/p2p/\(self.bob)"], lifetime: 0), from: try TestNetwork.source(1), to: a, isUnicast: true)
        try network.run(for: .seconds(100))
        #expect(network.machines[a].peers.map(\.peer) == [self.bob])
        // Questions are for the group.
        network.sent = []
        try network.inject(Self.query, from: try TestNetwork.source(1), to: a, isUnicast: true)
        try network.run(for: .milliseconds(130))
        #expect(!network.sent.contains { $0.message.isResponse })
    }

    @Test("asks for the addresses of a peer that has told its name only")
    func nameOnly() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress])
        try network.run(for: .seconds(100))
        network.sent = []
        var announcement = Self.announcement("bob", ["dnsaddr=\(self.bobAddress)/p2p/\(self.bob)"])
        let texts = announcement.additionals
        announcement.additionals = []
        try network.inject(announcement, from: try TestNetwork.source(1), to: a)
        try network.run(for: .seconds(1))
        let query = try #require(network.sent.first { !$0.message.isResponse }).message
        #expect(query.questions.contains(DNSQuestion(name: Machine.serviceName.child("bob"), type: .text)))
        #expect(network.reports[a].isEmpty)
        try network.inject(DNSMessage(isResponse: true, answers: texts), from: try TestNetwork.source(1), to: a)
        #expect(network.reports[a].map(\.addresses) == [[self.bobAddress]])
    }

    @Test("announces new addresses when they change, and nothing while there are none")
    func addressesChange() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [])
        let b = network.add(self.bob, addresses: [self.bobAddress])
        try network.run(for: .seconds(50))
        #expect(network.reports[b].isEmpty)
        #expect(network.sent.allSatisfy { $0.from == b || !$0.message.isResponse })
        network.machines[a].addressesChanged([self.aliceAddress], now: network.now)
        try network.run(for: .milliseconds(10))
        #expect(network.reports[b].last?.addresses == [self.aliceAddress])
        let other = try Multiaddr("/ip4/10.0.0.1/tcp/5001")
        network.machines[a].addressesChanged([other], now: network.now)
        try network.run(for: .seconds(1))
        #expect(network.reports[b].last?.addresses == [other])
    }

    @Test("does not announce what is of no use to others")
    func announcedAddresses() throws {
        var network = TestNetwork()
        let relay = try KeyPair.generate().peerID
        let useless = [
            "/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1", "/ip6/fe80::1/tcp/1", "/ip4/0.0.0.0/tcp/1", "/dns4/a.example/tcp/1", "/memory/1",
            "/ip4/10.0.0.9/tcp/1/p2p/\(relay)/p2p-circuit", "/ip4/224.0.0.1/udp/1", "/ip4/10.0.0.1",
        ]
        let a = network.add(self.alice, addresses: try useless.map { try Multiaddr($0) } + [self.aliceAddress.withPeerID(self.alice)])
        let b = network.add(self.bob, addresses: [])
        try network.run(for: .seconds(1))
        #expect(Set(network.reports[b].map(\.addresses)) == [[self.aliceAddress]])
        #expect(network.reports[a].isEmpty)
    }

    @Test("a response fits into a packet, however many addresses there are")
    func manyAddresses() throws {
        var network = TestNetwork()
        let many = try (0..<100).map { try Multiaddr("/ip6/2001:4860:1111:2222:3333:4444:5555:\(String($0 + 4096, radix: 16))/udp/40001/quic-v1") }
        _ = network.add(self.alice, addresses: many)
        let b = network.add(self.bob, addresses: [])
        try network.run(for: .seconds(1))
        let largest = network.sent.map { DNSMessageCodecTests.encode($0.message).count }.max() ?? 0
        #expect(largest <= Machine.maximumResponseByteCount)
        let addresses = try #require(network.reports[b].last).addresses
        #expect(addresses.count >= 6)
        #expect(addresses == Array(many.prefix(addresses.count)))
    }

    @Test("takes only addresses with the id of the peer that speaks, and that lead to it directly")
    func foreignAddresses() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress])
        let stranger = try KeyPair.generate().peerID
        let texts = [
            "dnsaddr=/ip4/10.0.0.2/tcp/1", "txtvers=1", "dnsaddr=", "dnsaddr=nonsense", "dnsaddr=/ip4/10.0.0.2/tcp/1/p2p/nobody",
            "DNSADDR=/ip4/10.0.0.2/tcp/2/p2p/\(self.bob)", "dnsaddr=/ip4/10.0.0.2/tcp/3/p2p/\(stranger)",
            "dnsaddr=/ip4/10.0.0.2/tcp/4/p2p/\(stranger)/p2p-circuit/p2p/\(self.bob)", "dnsaddr=/dns4/a.example/tcp/5/p2p/\(self.bob)",
            "dnsaddr=/ip4/127.0.0.1/tcp/6/p2p/\(self.bob)", "dnsaddr=/ip4/0.0.0.0/tcp/7/p2p/\(self.bob)", "dnsaddr=/ip6/::ffff:127.0.0.1/tcp/8/p2p/\(self.bob)",
            "dnsaddr=/ip4/10.0.0.2/tcp/2/p2p/\(self.bob)", "dnsaddr=/p2p/\(self.bob)", "dnsaddr=/ip4/224.0.0.1/tcp/9/p2p/\(self.bob)",
        ]
        try network.inject(Self.announcement("bob", texts), from: try TestNetwork.source(1), to: a)
        #expect(network.reports[a].map(\.peer) == [self.bob])
        #expect(try network.reports[a].map(\.addresses) == [[Multiaddr("/ip4/10.0.0.2/tcp/2")]])
        // The same machine may speak of loopback.
        try network.inject(
            Self.announcement("bob", ["dnsaddr=/ip4/127.0.0.1/tcp/6/p2p/\(self.bob)"]), from: try TestNetwork.source(0, isThisMachine: true), to: a)
        #expect(try network.reports[a].last?.addresses == [Multiaddr("/ip4/127.0.0.1/tcp/6")])
        // Nobody can speak for us, not even to us.
        try network.inject(Self.announcement("eve", ["dnsaddr=/ip4/10.0.0.6/tcp/1/p2p/\(self.alice)"]), from: try TestNetwork.source(6), to: a)
        #expect(!network.reports[a].contains { $0.peer == self.alice })
    }

    @Test("ignores responses from other ports, and of other services")
    func notResponders() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress])
        let texts = ["dnsaddr=\(self.bobAddress)/p2p/\(self.bob)"]
        try network.inject(Self.announcement("bob", texts), from: try TestNetwork.source(1, port: 4000), to: a)
        var other = Self.announcement("bob", texts)
        let printer = DNSName(["_ipp", "_tcp", "local"])
        other.answers = [DNSRecord(name: printer, value: .pointer(printer.child("bob")), lifetimeSeconds: 120)]
        other.additionals[0].name = printer.child("bob")
        try network.inject(other, from: try TestNetwork.source(1), to: a)
        try network.run(for: .seconds(3))
        #expect(network.reports[a].isEmpty)
    }

    @Test("remembers no more peers than configured, and keeps those it knows")
    func tableBound() throws {
        var network = TestNetwork()
        var configuration = LocalDiscoveryConfiguration()
        configuration.maximumPeerCount = 8
        let a = network.add(self.alice, addresses: [self.aliceAddress], configuration: configuration)
        for number in 0..<40 {
            let peer = try KeyPair.generate().peerID
            try network.inject(Self.announcement("peer\(number)", ["dnsaddr=/ip4/10.0.0.2/tcp/1/p2p/\(peer)"]), from: try TestNetwork.source(1), to: a)
        }
        #expect(network.machines[a].peers.count == 8)
        #expect(network.machines[a].ignoredEntryCount == 32)
        // Names without addresses make room again soon.
        try network.run(for: .seconds(121))
        #expect(network.machines[a].peers.isEmpty)
        for number in 0..<8 {
            var name = Self.announcement("name\(number)", [])
            name.additionals = []
            try network.inject(name, from: try TestNetwork.source(1), to: a)
        }
        try network.run(for: .seconds(11))
        try network.inject(Self.announcement("bob", ["dnsaddr=\(self.bobAddress)/p2p/\(self.bob)"]), from: try TestNetwork.source(1), to: a)
        #expect(network.machines[a].peers.count == 1)
    }

    @Test("a flood of names does not make it ask more than once a second")
    func nameFlood() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress])
        try network.run(for: .seconds(2000))
        network.sent = []
        for number in 0..<500 {
            var name = Self.announcement("name\(number)", [])
            name.additionals = []
            try network.inject(name, from: try TestNetwork.source(1), to: a)
            try network.run(for: .milliseconds(10))
        }
        let queries = network.sent.filter { !$0.message.isResponse }.map(\.at)
        #expect(zip(queries.dropFirst(), queries).allSatisfy { $0 - $1 >= .seconds(1) })
        #expect(network.sent.allSatisfy { DNSMessageCodecTests.encode($0.message).count <= 1400 })
    }

    @Test("believes nobody for ever, and keeps few addresses of each")
    func exaggeration() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress])
        let texts = (0..<100).map { "dnsaddr=/ip4/10.0.0.2/tcp/\($0 + 1)/p2p/\(self.bob)" }
        try network.inject(Self.announcement("bob", texts, lifetime: .max), from: try TestNetwork.source(1), to: a)
        let report = try #require(network.reports[a].last)
        #expect(report.addresses.count == 32)
        #expect(report.expires == network.now + .seconds(4500))
        // Two names for one peer share the limit.
        try network.inject(
            Self.announcement("bob2", ["dnsaddr=/ip4/10.0.0.2/tcp/1000/p2p/\(self.bob)"]), from: try TestNetwork.source(1), to: a)
        #expect(network.machines[a].peers.first?.addresses.count == 32)
    }

    @Test("puts a peer's old and new names together after a restart")
    func restart() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress])
        try network.inject(Self.announcement("old", ["dnsaddr=/ip4/10.0.0.2/tcp/1/p2p/\(self.bob)"]), from: try TestNetwork.source(1), to: a)
        try network.inject(Self.announcement("new", ["dnsaddr=/ip4/10.0.0.2/tcp/2/p2p/\(self.bob)"]), from: try TestNetwork.source(1), to: a)
        let both = Set([try Multiaddr("/ip4/10.0.0.2/tcp/1"), try Multiaddr("/ip4/10.0.0.2/tcp/2")])
        #expect(network.reports[a].last.map { Set($0.addresses) } == both)
        try network.inject(Self.announcement("old", ["dnsaddr=/ip4/10.0.0.2/tcp/1/p2p/\(self.bob)"], lifetime: 0), from: try TestNetwork.source(1), to: a)
        try network.run(for: .seconds(2))
        #expect(try network.reports[a].last?.addresses == [Multiaddr("/ip4/10.0.0.2/tcp/2")])
    }

    @Test("an interface that is gone is neither asked nor waited for")
    func interfaceVanishes() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress])
        try network.inject(Self.announcement("bob", ["dnsaddr=\(self.bobAddress)/p2p/\(self.bob)"]), from: try TestNetwork.source(1), to: a)
        network.machines[a].interfaceVanished(TestNetwork.interface)
        network.sent = []
        try network.run(for: .seconds(130))
        #expect(network.sent.isEmpty)
        #expect(network.machines[a].peers.isEmpty)
        #expect(network.machines[a].deadline == nil)
        try network.inject(Self.query, from: try TestNetwork.source(1), to: a)
        #expect(network.sent.isEmpty)
    }

    @Test("takes any sequence of hostile messages")
    func randomMessages() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress])
        var generator = SeededGenerator(seed: 99)
        let names = [Machine.serviceName, Machine.servicesName, Machine.serviceName.child("x"), Machine.serviceName.child("y"), DNSName([])]
        let texts = ["dnsaddr=\(self.bobAddress)/p2p/\(self.bob)", "dnsaddr=\(self.aliceAddress)/p2p/\(self.alice)", "x", ""]
        for _ in 0..<3000 {
            var message = DNSMessage(isResponse: Bool.random(using: &generator))
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                message.questions.append(
                    DNSQuestion(name: names.randomElement(using: &generator) ?? names[0], type: [.pointer, .text, .any].randomElement(using: &generator) ?? .a))
                let value: DNSRecord.Value =
                    Bool.random(using: &generator)
                    ? .pointer(names.randomElement(using: &generator) ?? names[0]) : .text([Array((texts.randomElement(using: &generator) ?? "").utf8)])
                message.answers.append(
                    DNSRecord(
                        name: names.randomElement(using: &generator) ?? names[0], value: value,
                        lifetimeSeconds: [0, 1, 120, .max].randomElement(using: &generator) ?? 0))
            }
            try network.inject(message, from: try TestNetwork.source(1, port: Bool.random(using: &generator) ? 5353 : 1), to: a)
            try network.run(for: .milliseconds(Int.random(in: 0...300, using: &generator)))
        }
        #expect(network.machines[a].peers.count <= 1)
        #expect(network.sent.filter { $0.destination == .group }.count < 3000)
    }

    @Test("damaged datagrams never trap, and never make it remember or send more than the limits")
    func damaged() throws {
        var generator = SeededGenerator(seed: 21)
        var configuration = LocalDiscoveryConfiguration()
        configuration.maximumPeerCount = 8
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.aliceAddress], configuration: configuration)
        try network.run(for: .seconds(3))
        let texts = ["dnsaddr=\(self.bobAddress.withPeerID(self.bob))", "dnsaddr=/ip4/10.0.0.9/tcp/1/p2p/\(self.bob)"]
        for round in 0..<2500 {
            let name = "peer\(Int.random(in: 0..<40, using: &generator))"
            let valid = round % 3 == 0 ? Self.query : Self.announcement(name, texts, lifetime: [0, 1, 120, .max].randomElement(using: &generator) ?? 120)
            let damaged = ByteBuffer(bytes: generator.mutated(DNSMessageCodecTests.encode(valid)))
            let source = try TestNetwork.source(5, port: round % 5 == 0 ? 40_000 : 5353)
            do throws(DNSDecodingError) {
                network.machines[a].received(
                    try damaged.decodeDNSMessage(), from: source, on: TestNetwork.interface, now: network.now, using: &network.generator)
            } catch {
                continue
            }
            #expect(network.machines[a].peers.count <= configuration.maximumPeerCount)
            if round % 50 == 0 { try network.run(for: .seconds(1)) } else { try network.deliver() }
        }
        // A message of its own each second at most, and one for each simple resolver that asked.
        #expect(network.sent.filter { $0.destination == .group }.count < 300)
    }
}
