@testable import DIGLocalDiscovery
import DIGIdentity
import DIGMultiformats
import NIOCore
import Testing

@Suite("Contents in the local network")
struct LocalContentTests {
    typealias Machine = LocalDiscoveryStateMachine

    let alice: PeerID
    let bob: PeerID
    let carol: PeerID
    let address: Multiaddr

    init() throws {
        self.alice = try KeyPair.generate().peerID
        self.bob = try KeyPair.generate().peerID
        self.carol = try KeyPair.generate().peerID
        self.address = try Multiaddr("/ip4/10.0.0.1/tcp/4001")
    }

    static func key(_ number: Int) -> LocalKey {
        var bytes = [UInt8](repeating: 7, count: LocalKey.byteCount)
        for index in 0..<4 { bytes[index] = UInt8(truncatingIfNeeded: number >> (8 * index)) }
        return LocalKey(bytes: bytes)!
    }

    private func question(_ keys: [LocalKey]) -> DNSMessage {
        DNSMessage(isResponse: false, questions: keys.map { DNSQuestion(name: $0.name, type: .pointer) })
    }

    @Test("a key is a subtype of the service (RFC 6763 §7.1), and nothing else is one")
    func names() throws {
        let bytes = (0..<32).map { UInt8($0 * 8) }
        let key = try #require(LocalKey(bytes: bytes))
        #expect(key.bytes == bytes)
        #expect(key.name.description.hasSuffix("._sub._p2p._udp.local.") && key.name.labels[0].count == 53)
        #expect(LocalKey(key.name) == key)
        #expect(LocalKey(DNSName(["\(key)", "_sub", "_p2p", "_udp", "local"])) == nil)
        #expect(LocalKey(DNSName(["_\(key)", "_p2p", "_udp", "local"])) == nil)
        #expect(LocalKey(DNSName(["_\(key)a", "_sub", "_p2p", "_udp", "local"])) == nil)
        #expect(LocalKey(DNSName(["_", "_sub", "_p2p", "_udp", "local"])) == nil)
        #expect(LocalKey(Machine.serviceName) == nil)
        #expect(LocalKey(bytes: bytes.dropLast()) == nil && LocalKey(bytes: bytes + [0]) == nil)
    }

    @Test("who has it answers at once, and only who has it")
    func found() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.address])
        let b = network.add(self.bob, addresses: [self.address])
        let c = network.add(self.carol, addresses: [self.address])
        network.contents[b].all = [Self.key(1), Self.key(2)]
        network.contents[c].all = [Self.key(2)]
        try network.run(for: .seconds(1))
        #expect(network.machines[a].peers.allSatisfy { $0.answersForContents })
        try network.want(Self.key(1), by: a)
        try network.want(Self.key(2), by: a)
        try network.want(Self.key(3), by: a)
        try network.run(for: .milliseconds(130))
        #expect(network.holders(of: Self.key(1), at: a) == [self.bob])
        #expect(network.holders(of: Self.key(2), at: a) == [self.bob, self.carol])
        #expect(network.holders(of: Self.key(3), at: a).isEmpty)
        #expect(network.holders[a].allSatisfy { $0.peer.addresses == [self.address] })
        // An hour later as well, and nobody was ever lost.
        try network.run(for: .seconds(3_600))
        #expect(network.holders(of: Self.key(2), at: a) == [self.bob, self.carol])
        #expect(network.holders[a].count == 3)
    }

    @Test("who comes later is found at once, who gets the content later within 30 s, who leaves is known to have left")
    func changes() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.address])
        let b = network.add(self.bob, addresses: [self.address])
        try network.run(for: .seconds(1))
        try network.want(Self.key(1), by: a)
        try network.run(for: .seconds(500))
        let c = network.add(self.carol, addresses: [self.address])
        network.contents[c].all = [Self.key(1)]
        try network.run(for: .milliseconds(300))
        #expect(network.holders(of: Self.key(1), at: a) == [self.carol])
        network.contents[b].all = [Self.key(1)]
        try network.run(for: .seconds(31))
        #expect(network.holders(of: Self.key(1), at: a) == [self.bob, self.carol])
        try network.stop(c)
        try network.run(for: .milliseconds(1_100))
        #expect(network.holders(of: Self.key(1), at: a) == [self.bob])
        // Without a word.
        network.isConnected[b] = false
        try network.run(for: .seconds(125))
        #expect(network.holders(of: Self.key(1), at: a).isEmpty)
    }

    @Test("what is withdrawn is taken back from who was told, and from nobody else")
    func withdrawal() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.address])
        let b = network.add(self.bob, addresses: [self.address])
        network.contents[b].all = Set((0..<5_000).map(Self.key))
        try network.run(for: .seconds(3))
        try network.want(Self.key(1), by: a)
        try network.run(for: .seconds(2))
        #expect(network.holders(of: Self.key(1), at: a) == [self.bob])
        network.sent = []
        try network.withdraw((0..<5_000).map(Self.key), by: b)
        try network.run(for: .milliseconds(1_100))
        #expect(network.holders(of: Self.key(1), at: a).isEmpty)
        let goodbyes = network.sent.filter { $0.from == b && $0.message.isResponse }
        #expect(goodbyes.count == 1 && goodbyes.flatMap(\.message.answers).map(\.name) == [Self.key(1).name])
        // The peer itself is still there.
        #expect(network.machines[a].peers.map(\.peer) == [self.bob])
        try network.run(for: .seconds(120))
        #expect(network.holders(of: Self.key(1), at: a).isEmpty)
        // Shared again.
        network.contents[b].all = [Self.key(1)]
        try network.run(for: .seconds(31))
        #expect(network.holders(of: Self.key(1), at: a) == [self.bob])
    }

    @Test("withdrawn and shared again before the word of it goes out: nothing is taken back")
    func withdrawnForAMoment() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.address])
        let b = network.add(self.bob, addresses: [self.address])
        network.contents[b].all = [Self.key(1)]
        try network.run(for: .seconds(1))
        try network.want(Self.key(1), by: a)
        try network.run(for: .seconds(1))
        network.contents[b].all = []
        network.machines[b].withdrawn([Self.key(1)], now: network.now)
        network.contents[b].all = [Self.key(1)]
        try network.run(for: .seconds(3))
        #expect(network.holders[a].count == 1)
    }

    @Test("100,000 contents: not a packet more until somebody asks, and answers that fit into one")
    func manyContents() throws {
        func traffic(_ contents: Set<LocalKey>) throws -> [DNSMessage] {
            var network = TestNetwork()
            let a = network.add(self.alice, addresses: [self.address])
            network.contents[a].all = contents
            _ = network.add(self.bob, addresses: [self.address])
            try network.run(for: .seconds(3_600))
            return network.sent.map(\.message)
        }
        let contents = Set((0..<100_000).map(Self.key))
        let (with, without) = (try traffic(contents), try traffic([]))
        #expect(with.count == without.count && (with == without) == true)

        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.address])
        network.contents[a].all = contents
        try network.run(for: .seconds(100))
        network.sent = []
        // As many questions as there are, from everybody.
        for round in 0..<1_000 {
            try network.inject(self.question((0..<60).map { Self.key(round * 60 + $0) }), from: try TestNetwork.source(round % 200, port: 5353), to: a)
            try network.inject(self.question((0..<60).map { Self.key(round * 60 + $0) }), from: try TestNetwork.source(round % 200, port: 40_000), to: a)
            try network.run(for: .milliseconds(10))
        }
        let answers = network.sent.filter(\.message.isResponse)
        #expect(answers.filter { $0.destination == .group }.count <= 11)
        #expect(answers.count <= 11 + 11 * Machine.maximumUnicastResponsesPerSecond)
        #expect(answers.allSatisfy { $0.message.answers.count <= Machine.maximumContentsPerMessage })
        #expect(network.machines[a].told.count <= Machine.maximumToldCount)
        // All of them withdrawn: a second of packets for each eighty, and of no more than were told.
        network.sent = []
        try network.withdraw(Array(contents), by: a)
        try network.run(for: .seconds(60))
        #expect(network.sent.filter(\.message.isResponse).count <= Machine.maximumToldCount / Machine.maximumContentsPerMessage + 10)
    }

    @Test("as many contents as are allowed are looked for at once, in packets of eight, at most once a second each")
    func manyQuestions() throws {
        var network = TestNetwork()
        let a = network.add(self.alice, addresses: [self.address])
        try network.run(for: .seconds(10))
        network.sent = []
        for number in 0..<100 {
            let isTaken = network.machines[a].wanted(Self.key(number), now: network.now, using: &network.generator)
            #expect(isTaken == (number < Machine.maximumContentQuestionCount))
        }
        try network.run(for: .milliseconds(500))
        let questions = network.sent.filter { $0.destination == .groupForUnicast }
        #expect(questions.count == 8 && questions.allSatisfy { $0.message.questions.count == 8 && $0.message.questions.allSatisfy { $0.prefersUnicast } })
        // Peers that come and go do not make it ask more often.
        network.sent = []
        for number in 0..<100 {
            let instance = "peer\(number)"
            let peer = try KeyPair.generate().peerID
            var message = LocalDiscoveryStateMachineTests.announcement(instance, ["dnsaddr=/ip4/10.0.0.9/tcp/1/p2p/\(peer)", "dig=1"])
            try network.inject(message, from: try TestNetwork.source(8), to: a)
            message = LocalDiscoveryStateMachineTests.announcement(instance, ["dnsaddr=/ip4/10.0.0.9/tcp/1/p2p/\(peer)", "dig=1"], lifetime: 0)
            try network.inject(message, from: try TestNetwork.source(8), to: a)
            try network.run(for: .milliseconds(50))
        }
        let asked = network.sent.filter { sent in sent.message.questions.contains { $0.name == Self.key(3).name } }.map(\.at)
        #expect(asked.count <= 7 && zip(asked.dropFirst(), asked).allSatisfy { $0 - $1 >= .seconds(1) })
        for number in 0..<100 { network.machines[a].unwanted(Self.key(number)) }
        network.sent = []
        try network.run(for: .seconds(100))
        #expect(!network.sent.contains { sent in sent.message.questions.contains { LocalKey($0.name) != nil } })
    }

    @Test("a flood of holders is bounded, and what nobody asked for is not kept")
    func flood() throws {
        var network = TestNetwork()
        var configuration = LocalDiscoveryConfiguration()
        configuration.maximumPeerCount = 8
        let a = network.add(self.alice, addresses: [self.address], configuration: configuration)
        try network.want(Self.key(1), by: a)
        for number in 0..<100 {
            let instance = Machine.serviceName.child("peer\(number)")
            let message = DNSMessage(
                isResponse: true,
                answers: [1, 2].map { DNSRecord(name: Self.key($0).name, value: .pointer(instance), lifetimeSeconds: .max) })
            try network.inject(message, from: try TestNetwork.source(1), to: a)
        }
        #expect(network.machines[a].questions.count == 1)
        #expect(network.machines[a].questions[Self.key(1)]?.holders.count == 8)
        #expect(network.holders[a].isEmpty)
    }

    @Test("a name that is announced is read, in one line and not too long; peers of other software have none, and answer for nothing")
    func announceName() throws {
        var network = TestNetwork()
        var configuration = LocalDiscoveryConfiguration()
        configuration.announceName = "Alice’s\n\u{202e}laptop \u{7}" + String(repeating: "é", count: 100)
        let a = network.add(self.alice, addresses: [self.address], configuration: configuration)
        let b = network.add(self.bob, addresses: [self.address])
        try network.run(for: .seconds(1))
        let name = try #require(network.machines[b].peers.first?.name)
        #expect(name.hasPrefix("Alice’slaptop é") && name.utf8.count <= 63 && name.utf8.count > 60)
        #expect(network.machines[a].peers.map(\.name) == [nil])
        try network.inject(
            LocalDiscoveryStateMachineTests.announcement("other", ["dnsaddr=\(self.address)/p2p/\(self.carol)", "name=\u{1b}[2J", "txtvers=1"]),
            from: try TestNetwork.source(3), to: a)
        let other = try #require(network.machines[a].peers.first { $0.peer == self.carol })
        #expect(other.name == "[2J" && !other.answersForContents)
    }
}
